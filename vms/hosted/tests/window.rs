//! Where there is no display server, opening a window is an error with a reason. The window library
//! wants the main thread, so this test has no harness; with a display server it shows nothing.

use vm_hosted::Window;

fn main() {
    let server = ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].iter().any(|name| std::env::var_os(name).is_some());
    if server {
        println!("there is a display server: nothing to test");
        return;
    }
    let error = Window::open("test", 640, 480).err().expect("no window without a display server");
    assert!(error.to_string().contains("DISPLAY"), "{error}");
    println!("{error}");
}
