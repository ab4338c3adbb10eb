	.intel_syntax noprefix
	.file	"naked.a110b5d6efec3650-cgu.0"


	.section	.text._RNvCsdPluCYkJwB0_5naked5entry,"ax",@progbits
	.p2align	2
	.globl	_RNvCsdPluCYkJwB0_5naked5entry
	.type	_RNvCsdPluCYkJwB0_5naked5entry,@function
_RNvCsdPluCYkJwB0_5naked5entry:
	# @entry
	push	rax
	push	rcx
	push	rdx
	push	rsi
	push	rdi
	push	r8
	push	r9
	push	r10
	push	r11
	push	rbx
	cld	# @cld
	# @saved
	mov	rdi, rsp
	mov	rbx, rsp
	and	rsp, -16	# @align
	call	handler	# @call
	mov	rsp, rbx	# @back
	pop	rbx
	pop	r11
	pop	r10
	pop	r9
	pop	r8
	pop	rdi
	pop	rsi
	pop	rdx
	pop	rcx
	pop	rax
	# @restored
	add	rsp, 16	# @drop
	iretq	# @iretq
.Lfunc_end__RNvCsdPluCYkJwB0_5naked5entry:
.Ltmp0:
	.size	_RNvCsdPluCYkJwB0_5naked5entry, .Ltmp0-_RNvCsdPluCYkJwB0_5naked5entry
	.text




	.section	.text.isr0,"ax",@progbits
	.p2align	2
	.globl	isr0
	.type	isr0,@function
isr0:
	# @first0
	push	0
	push	0	# @vector0
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr0:
.Ltmp1:
	.size	isr0, .Ltmp1-isr0
	.text




	.section	.text.isr1,"ax",@progbits
	.p2align	2
	.globl	isr1
	.type	isr1,@function
isr1:
	# @first1
	push	0
	push	1	# @vector1
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr1:
.Ltmp2:
	.size	isr1, .Ltmp2-isr1
	.text




	.section	.text.isr11,"ax",@progbits
	.p2align	2
	.globl	isr11
	.type	isr11,@function
isr11:
	# @first11

	push	11	# @vector11
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr11:
.Ltmp3:
	.size	isr11, .Ltmp3-isr11
	.text




	.section	.text.isr12,"ax",@progbits
	.p2align	2
	.globl	isr12
	.type	isr12,@function
isr12:
	# @first12

	push	12	# @vector12
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr12:
.Ltmp4:
	.size	isr12, .Ltmp4-isr12
	.text




	.section	.text.isr13,"ax",@progbits
	.p2align	2
	.globl	isr13
	.type	isr13,@function
isr13:
	# @first13

	push	13	# @vector13
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr13:
.Ltmp5:
	.size	isr13, .Ltmp5-isr13
	.text




	.section	.text.isr14,"ax",@progbits
	.p2align	2
	.globl	isr14
	.type	isr14,@function
isr14:
	# @first14

	push	14	# @vector14
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr14:
.Ltmp6:
	.size	isr14, .Ltmp6-isr14
	.text




	.section	.text.isr3,"ax",@progbits
	.p2align	2
	.globl	isr3
	.type	isr3,@function
isr3:
	# @first3
	push	0
	push	3	# @vector3
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr3:
.Ltmp7:
	.size	isr3, .Ltmp7-isr3
	.text




	.section	.text.isr32,"ax",@progbits
	.p2align	2
	.globl	isr32
	.type	isr32,@function
isr32:
	# @first32
	push	0
	push	32	# @vector32
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr32:
.Ltmp8:
	.size	isr32, .Ltmp8-isr32
	.text




	.section	.text.isr6,"ax",@progbits
	.p2align	2
	.globl	isr6
	.type	isr6,@function
isr6:
	# @first6
	push	0	# @dummy6
	push	6	# @vector6
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr6:
.Ltmp9:
	.size	isr6, .Ltmp9-isr6
	.text




	.section	.text.isr7,"ax",@progbits
	.p2align	2
	.globl	isr7
	.type	isr7,@function
isr7:
	# @first7
	push	0
	push	7	# @vector7
	jmp	_RNvCsdPluCYkJwB0_5naked5entry
.Lfunc_end_isr7:
.Ltmp10:
	.size	isr7, .Ltmp10-isr7
	.text





	.section	.text._RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind,"ax",@progbits
	.globl	_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind
	.p2align	4
	.type	_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind,@function
_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind:
	.p2align	4
.LBB0_1:
	jmp	.LBB0_1
.Lfunc_end0:
	.size	_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind, .Lfunc_end0-_RNvCsfLfy6EI15iL_7___rustc17rust_begin_unwind

	.ident	"rustc version 1.95.0 (59807616e 2026-04-14)"
	.section	".note.GNU-stack","",@progbits
