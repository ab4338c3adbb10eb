// The compiler's own interrupt functions, in Rust. interrupt.s is what rustc has made of it, by the
// command in naked.rs.
#![no_std]
#![feature(abi_x86_interrupt)]

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {}
}

#[repr(C)]
pub struct Frame {
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

unsafe extern "C" {
    fn report(frame: *const Frame, code: u64);
}

static mut SEEN: u64 = 0;

#[unsafe(no_mangle)]
pub extern "x86-interrupt" fn divide_error_handler(frame: Frame) {
    unsafe { report(&frame, 0) }
}

#[unsafe(no_mangle)]
pub extern "x86-interrupt" fn breakpoint_handler(frame: Frame) {
    unsafe { SEEN += frame.rip }
}

#[unsafe(no_mangle)]
pub extern "x86-interrupt" fn page_fault_handler(frame: Frame, code: u64) {
    unsafe { SEEN += frame.rip + code }
}
