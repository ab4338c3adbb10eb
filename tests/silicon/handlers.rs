// The handlers that rustc makes out of extern "x86-interrupt", for the bench and `make compare`.
// Without the core library, which is not installed for every target: the traits stand in for it.
#![feature(abi_x86_interrupt, auto_traits, lang_items, no_core)]
#![allow(internal_features)]
#![no_core]
#![crate_type = "lib"]

#[lang = "pointee_sized"]
pub trait PointeeSized {}
#[lang = "meta_sized"]
pub trait MetaSized: PointeeSized {}
#[lang = "sized"]
pub trait Sized: MetaSized {}
#[lang = "copy"]
pub trait Copy {}
#[lang = "freeze"]
unsafe auto trait Freeze {}

#[repr(C)]
pub struct InterruptFrame {
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

extern "C" {
    fn trap_dispatch(frame: *const InterruptFrame);
}

#[no_mangle]
pub extern "x86-interrupt" fn none(frame: InterruptFrame) {
    unsafe { trap_dispatch(&frame) }
}

#[no_mangle]
pub extern "x86-interrupt" fn code(frame: InterruptFrame, _error_code: u64) {
    unsafe { trap_dispatch(&frame) }
}
