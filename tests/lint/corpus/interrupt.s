	.intel_syntax noprefix
	.file	"interrupt.f6a6db8d5e279270-cgu.0"
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

	.section	.text.breakpoint_handler,"ax",@progbits
	.globl	breakpoint_handler
	.p2align	4
	.type	breakpoint_handler,@function
breakpoint_handler:
	push	rax
	mov	rax, qword ptr [rsp + 8]
	add	qword ptr [rip + _RNvCslaV8VBAn5WC_9interrupt4SEEN.0], rax
	pop	rax
	iretq
.Lfunc_end1:
	.size	breakpoint_handler, .Lfunc_end1-breakpoint_handler

	.section	.text.divide_error_handler,"ax",@progbits
	.globl	divide_error_handler
	.p2align	4
	.type	divide_error_handler,@function
divide_error_handler:
	push	rax
	push	r11
	push	r10
	push	r9
	push	r8
	push	rdi
	push	rsi
	push	rdx
	push	rcx
	sub	rsp, 256
	movaps	xmmword ptr [rsp + 240], xmm15
	movaps	xmmword ptr [rsp + 224], xmm14
	movaps	xmmword ptr [rsp + 208], xmm13
	movaps	xmmword ptr [rsp + 192], xmm12
	movaps	xmmword ptr [rsp + 176], xmm11
	movaps	xmmword ptr [rsp + 160], xmm10
	movaps	xmmword ptr [rsp + 144], xmm9
	movaps	xmmword ptr [rsp + 128], xmm8
	movaps	xmmword ptr [rsp + 112], xmm7
	movaps	xmmword ptr [rsp + 96], xmm6
	movaps	xmmword ptr [rsp + 80], xmm5
	movaps	xmmword ptr [rsp + 64], xmm4
	movaps	xmmword ptr [rsp + 48], xmm3
	movaps	xmmword ptr [rsp + 32], xmm2
	movaps	xmmword ptr [rsp + 16], xmm1
	movaps	xmmword ptr [rsp], xmm0
	cld
	lea	rdi, [rsp + 328]
	xor	esi, esi
	call	report
	movaps	xmm0, xmmword ptr [rsp]
	movaps	xmm1, xmmword ptr [rsp + 16]
	movaps	xmm2, xmmword ptr [rsp + 32]
	movaps	xmm3, xmmword ptr [rsp + 48]
	movaps	xmm4, xmmword ptr [rsp + 64]
	movaps	xmm5, xmmword ptr [rsp + 80]
	movaps	xmm6, xmmword ptr [rsp + 96]
	movaps	xmm7, xmmword ptr [rsp + 112]
	movaps	xmm8, xmmword ptr [rsp + 128]
	movaps	xmm9, xmmword ptr [rsp + 144]
	movaps	xmm10, xmmword ptr [rsp + 160]
	movaps	xmm11, xmmword ptr [rsp + 176]
	movaps	xmm12, xmmword ptr [rsp + 192]
	movaps	xmm13, xmmword ptr [rsp + 208]
	movaps	xmm14, xmmword ptr [rsp + 224]
	movaps	xmm15, xmmword ptr [rsp + 240]
	add	rsp, 256
	pop	rcx
	pop	rdx
	pop	rsi
	pop	rdi
	pop	r8
	pop	r9
	pop	r10
	pop	r11
	pop	rax
	iretq
.Lfunc_end2:
	.size	divide_error_handler, .Lfunc_end2-divide_error_handler

	.section	.text.page_fault_handler,"ax",@progbits
	.globl	page_fault_handler
	.p2align	4
	.type	page_fault_handler,@function
page_fault_handler:
	push	rax
	push	rax
	push	rax
	mov	rax, qword ptr [rsp + 32]
	add	rax, qword ptr [rsp + 24]
	add	qword ptr [rip + _RNvCslaV8VBAn5WC_9interrupt4SEEN.0], rax
	add	rsp, 8
	pop	rax
	add	rsp, 16
	iretq
.Lfunc_end3:
	.size	page_fault_handler, .Lfunc_end3-page_fault_handler

	.type	_RNvCslaV8VBAn5WC_9interrupt4SEEN.0,@object
	.section	.bss._RNvCslaV8VBAn5WC_9interrupt4SEEN.0,"aw",@nobits
	.p2align	3, 0x0
_RNvCslaV8VBAn5WC_9interrupt4SEEN.0:
	.quad	0
	.size	_RNvCslaV8VBAn5WC_9interrupt4SEEN.0, 8

	.ident	"rustc version 1.95.0 (59807616e 2026-04-14)"
	.section	".note.GNU-stack","",@progbits
