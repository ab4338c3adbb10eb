// An interrupt path in naked functions of Rust. naked.s is what rustc has made of it, with the words
// after @ that proof.py looks for:
//   RUSTC_BOOTSTRAP=1 rustc --crate-type lib --edition 2024 -O -C panic=abort -C no-redzone=yes \
//     -C force-unwind-tables=no -C relocation-model=static -C llvm-args=-x86-asm-syntax=intel \
//     --emit asm naked.rs
#![no_std]

use core::arch::naked_asm;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

unsafe extern "C" {
    fn handler(frame: *mut u64);
}

macro_rules! stub {
    ($name:ident, $vector:literal, $dummy:literal) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(
                concat!("// @first", $vector),
                $dummy,
                concat!("push ", $vector, " // @vector", $vector),
                "jmp {}",
                sym entry,
            )
        }
    };
}

stub!(isr0, "0", "push 0");
stub!(isr1, "1", "push 0");
stub!(isr3, "3", "push 0");
stub!(isr6, "6", "push 0 // @dummy6");
stub!(isr7, "7", "push 0");
stub!(isr11, "11", "");
stub!(isr12, "12", "");
stub!(isr13, "13", "");
stub!(isr14, "14", "");
stub!(isr32, "32", "push 0");

#[unsafe(naked)]
pub unsafe extern "C" fn entry() {
    naked_asm!(
        "// @entry",
        "push rax", "push rcx", "push rdx", "push rsi", "push rdi",
        "push r8", "push r9", "push r10", "push r11", "push rbx",
        "cld // @cld",
        "// @saved",
        "mov rdi, rsp",
        "mov rbx, rsp",
        "and rsp, -16 // @align",
        "call {} // @call",
        "mov rsp, rbx // @back",
        "pop rbx", "pop r11", "pop r10", "pop r9", "pop r8",
        "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rax",
        "// @restored",
        "add rsp, 16 // @drop",
        "iretq // @iretq",
        sym handler,
    )
}
