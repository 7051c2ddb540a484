// Written by `ilc bindings --lang rust` for demo.lamp@2, other.lamp@1; do not edit.

/// A `buf`: a byte buffer outside of linear memory. What is given to an instruction moves there; what is dropped is freed.
#[derive(Debug)]
pub struct Buf(i32);

mod raw_buf {
    #[link(wasm_import_module = "cascade.buf")]
    unsafe extern "C" {
        pub safe fn new(bytes: usize) -> i32;
        pub safe fn len(buf: i32) -> usize;
        pub fn read(buf: i32, offset: usize, to: *mut u8, bytes: usize);
        pub fn write(buf: i32, offset: usize, from: *const u8, bytes: usize);
        pub safe fn free(buf: i32);
    }
}

#[allow(clippy::len_without_is_empty)]
impl Buf {
    /// A buffer of so many zeros.
    pub fn new(bytes: usize) -> Buf {
        Buf(raw_buf::new(bytes))
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        raw_buf::len(self.0)
    }

    /// Copies bytes from `offset` of the buffer; traps beyond its end.
    pub fn read(&self, offset: usize, to: &mut [u8]) {
        // SAFETY: the span is a slice that may be written.
        unsafe { raw_buf::read(self.0, offset, to.as_mut_ptr(), to.len()) }
    }

    /// Copies bytes to `offset` of the buffer; traps beyond its end.
    pub fn write(&mut self, offset: usize, from: &[u8]) {
        // SAFETY: the span is a slice.
        unsafe { raw_buf::write(self.0, offset, from.as_ptr(), from.len()) }
    }

    /// The handle, which is then somebody else's to free.
    pub fn into_handle(self) -> i32 {
        core::mem::ManuallyDrop::new(self).0
    }

    /// Of a handle that nobody else frees, such as a handler's operand.
    pub fn from_handle(handle: i32) -> Buf {
        Buf(handle)
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        raw_buf::free(self.0);
    }
}

/// Why an instruction failed. Its number is that of the table of all instruction sets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// bad operand
    BadOperand,
    /// out of range
    OutOfRange,
    /// no such instruction
    NoSuchInstruction,
    /// not permitted
    NotPermitted,
    /// revoked
    Revoked,
    /// peer gone
    PeerGone,
    /// deadline
    Deadline,
    /// quota
    Quota,
    /// device error
    DeviceError,
    /// busy
    Busy,
    /// not supported
    NotSupported,
    /// deadlock
    Deadlock,
    /// A number that is not in the table.
    Other(i32),
}

impl Status {
    fn check(status: i32) -> Result<(), Status> {
        match status {
            0 => Ok(()),
            1 => Err(Status::BadOperand),
            2 => Err(Status::OutOfRange),
            3 => Err(Status::NoSuchInstruction),
            4 => Err(Status::NotPermitted),
            5 => Err(Status::Revoked),
            6 => Err(Status::PeerGone),
            7 => Err(Status::Deadline),
            8 => Err(Status::Quota),
            9 => Err(Status::DeviceError),
            10 => Err(Status::Busy),
            11 => Err(Status::NotSupported),
            12 => Err(Status::Deadlock),
            other => Err(Status::Other(other)),
        }
    }
}

/// `demo.lamp@2`
/// A lamp: levels are 0..=100, in percent.
#[allow(clippy::too_many_arguments)]
pub mod lamp {
    #[allow(unused_imports)]
    use super::{Buf, Status};

    mod raw {
        #[link(wasm_import_module = "demo.lamp@2")]
        unsafe extern "C" {
            #[link_name = "set"]
            pub fn do_set(level: i32, slowly: i32);
            #[link_name = "settle"]
            pub fn do_settle();
            #[link_name = "try settle"]
            pub fn try_settle() -> i32;
            #[link_name = "power"]
            pub fn do_power(int: f32, fn_: i64) -> f64;
            #[link_name = "try power"]
            pub fn try_power(int: f32, fn_: i64, watts: *mut f64) -> i32;
            #[link_name = "all"]
            pub fn do_all(id: i32, on: *mut i32, label: *mut i32, picture: *mut i32);
            #[link_name = "try all"]
            pub fn try_all(id: i32, on: *mut i32, label: *mut i32, picture: *mut i32) -> i32;
            #[link_name = "show"]
            pub fn do_show(title: *const u8, bytes: usize, left: *const u8, bytes_: usize, right: *const u8, bytes__: usize) -> i32;
            #[link_name = "try show"]
            pub fn try_show(title: *const u8, bytes: usize, left: *const u8, bytes_: usize, right: *const u8, bytes__: usize, shown: *mut i32) -> i32;
            #[link_name = "show"]
            pub fn give_show(title: *const u8, bytes: usize, left: i32, right: i32) -> i32;
            #[link_name = "try show"]
            pub fn offer_show(title: *const u8, bytes: usize, left: i32, right: i32, shown: *mut i32) -> i32;
        }
    }

    /// `1 set(level: i32, slowly: bool)`
    /// Sets the level, at once.
    pub fn set(level: i32, slowly: bool) {
        // SAFETY: spans are slices, places are variables.
        unsafe { raw::do_set(level, i32::from(slowly)) }
    }

    /// `2 settle() -> ()`
    /// Waits until it shines.
    pub fn settle() {
        // SAFETY: spans are slices, places are variables.
        unsafe { raw::do_settle() }
    }

    /// [`settle`] with a failure as a value.
    ///
    /// # Errors
    /// What it failed with.
    pub fn try_settle() -> Result<(), Status> {
        // SAFETY: spans are slices, places are variables.
        let status = unsafe { raw::try_settle() };
        Status::check(status).map(|()| ())
    }

    /// `3 power(int: f32, fn: i64) -> (watts: f64)`
    /// What it uses, in watts.
    pub fn power(int: f32, fn_: i64) -> f64 {
        // SAFETY: spans are slices, places are variables.
        unsafe { raw::do_power(int, fn_) }
    }

    /// [`power`] with a failure as a value.
    ///
    /// # Errors
    /// What it failed with.
    pub fn try_power(int: f32, fn_: i64) -> Result<f64, Status> {
        let mut watts = 0f64;
        // SAFETY: spans are slices, places are variables.
        let status = unsafe { raw::try_power(int, fn_, &mut watts) };
        Status::check(status).map(|()| watts)
    }

    /// `4 all(id: i32) -> (on: bool, label: str, picture: buf)`
    /// All about it. `label` is a text.
    pub fn all(id: i32) -> (bool, Buf, Buf) {
        let mut on = 0i32;
        let mut label = 0i32;
        let mut picture = 0i32;
        // SAFETY: spans are slices, places are variables.
        unsafe { raw::do_all(id, &mut on, &mut label, &mut picture) };
        (on != 0, Buf::from_handle(label), Buf::from_handle(picture))
    }

    /// [`all`] with a failure as a value.
    ///
    /// # Errors
    /// What it failed with.
    pub fn try_all(id: i32) -> Result<(bool, Buf, Buf), Status> {
        let mut on = 0i32;
        let mut label = 0i32;
        let mut picture = 0i32;
        // SAFETY: spans are slices, places are variables.
        let status = unsafe { raw::try_all(id, &mut on, &mut label, &mut picture) };
        Status::check(status).map(|()| (on != 0, Buf::from_handle(label), Buf::from_handle(picture)))
    }

    /// `5 show(title: str, left: buf, right: buf) -> (shown: bool)`
    /// A picture on it, beside another.
    /// The bytes are copied once.
    pub fn show(title: &str, left: &[u8], right: &[u8]) -> bool {
        // SAFETY: spans are slices, places are variables.
        let shown = unsafe { raw::do_show(title.as_ptr(), title.len(), left.as_ptr(), left.len(), right.as_ptr(), right.len()) };
        shown != 0
    }

    /// [`show`] with a failure as a value.
    ///
    /// # Errors
    /// What it failed with.
    pub fn try_show(title: &str, left: &[u8], right: &[u8]) -> Result<bool, Status> {
        let mut shown = 0i32;
        // SAFETY: spans are slices, places are variables.
        let status = unsafe { raw::try_show(title.as_ptr(), title.len(), left.as_ptr(), left.len(), right.as_ptr(), right.len(), &mut shown) };
        Status::check(status).map(|()| shown != 0)
    }

    /// [`show`] with a buffer that moves: nothing is copied.
    pub fn show_buf(title: &str, left: Buf, right: Buf) -> bool {
        // SAFETY: spans are slices, places are variables.
        let shown = unsafe { raw::give_show(title.as_ptr(), title.len(), left.into_handle(), right.into_handle()) };
        shown != 0
    }

    /// [`show_buf`] with a failure as a value.
    ///
    /// # Errors
    /// What it failed with.
    pub fn try_show_buf(title: &str, left: Buf, right: Buf) -> Result<bool, Status> {
        let mut shown = 0i32;
        // SAFETY: spans are slices, places are variables.
        let status = unsafe { raw::offer_show(title.as_ptr(), title.len(), left.into_handle(), right.into_handle(), &mut shown) };
        Status::check(status).map(|()| shown != 0)
    }

    // `6 mix(a: v128, b: v128) -> (v128)` is left out: it carries a vector, which Rust passes to nothing outside.

    // `7 scene() -> (?object)` is left out: it carries an object or a capability, which only the IL has.

    /// The handler of the event `switched`, to be exported under the name of the event:
    /// `#[unsafe(export_name = "demo.lamp@2.switched")] extern "C" fn switched(on: i32, who: i32) { .. }`
    /// What is a text or a buffer comes as a handle, for [`Buf::from_handle`].
    pub type OnSwitched = extern "C" fn(on: i32, who: i32);

    /// The handler of the event `touched`, to be exported under the name of the event:
    /// `#[unsafe(export_name = "demo.lamp@2.touched")] extern "C" fn touched() { .. }`
    /// Somebody touched it.
    pub type OnTouched = extern "C" fn();
}

/// `other.lamp@1`
/// Of the same name at its end.
#[allow(clippy::too_many_arguments)]
pub mod other_lamp_1 {
    #[allow(unused_imports)]
    use super::{Buf, Status};

    mod raw {
        #[link(wasm_import_module = "other.lamp@1")]
        unsafe extern "C" {
            #[link_name = "set"]
            pub fn do_set(bytes: *const u8, bytes_: usize);
            #[link_name = "try set"]
            pub fn try_set(bytes: *const u8, bytes_: usize) -> i32;
            #[link_name = "set"]
            pub fn give_set(bytes: i32);
            #[link_name = "try set"]
            pub fn offer_set(bytes: i32) -> i32;
        }
    }

    /// `1 set(bytes: buf) -> ()`
    ///
    /// The bytes are copied once.
    pub fn set(bytes: &[u8]) {
        // SAFETY: spans are slices, places are variables.
        unsafe { raw::do_set(bytes.as_ptr(), bytes.len()) }
    }

    /// [`set`] with a failure as a value.
    ///
    /// # Errors
    /// What it failed with.
    pub fn try_set(bytes: &[u8]) -> Result<(), Status> {
        // SAFETY: spans are slices, places are variables.
        let status = unsafe { raw::try_set(bytes.as_ptr(), bytes.len()) };
        Status::check(status).map(|()| ())
    }

    /// [`set`] with a buffer that moves: nothing is copied.
    pub fn set_buf(bytes: Buf) {
        // SAFETY: spans are slices, places are variables.
        unsafe { raw::give_set(bytes.into_handle()) }
    }

    /// [`set_buf`] with a failure as a value.
    ///
    /// # Errors
    /// What it failed with.
    pub fn try_set_buf(bytes: Buf) -> Result<(), Status> {
        // SAFETY: spans are slices, places are variables.
        let status = unsafe { raw::offer_set(bytes.into_handle()) };
        Status::check(status).map(|()| ())
    }
}
