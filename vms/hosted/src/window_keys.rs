//! The window library's names of physical keys as USB HID usages.

use winit::keyboard::KeyCode::{self, *};

/// Usage of the first key in [`MAIN`].
const FIRST: u16 = 0x04;
/// Usage of the first key in [`MODIFIERS`].
const FIRST_MODIFIER: u16 = 0xe0;

/// The keys by ascending usage, without gaps. A key that US keyboards do not have is filled up with
/// the one before it, which is found first.
const MAIN: &[KeyCode] = &[
    KeyA,
    KeyB,
    KeyC,
    KeyD,
    KeyE,
    KeyF,
    KeyG,
    KeyH,
    KeyI,
    KeyJ,
    KeyK,
    KeyL,
    KeyM,
    KeyN,
    KeyO,
    KeyP,
    KeyQ,
    KeyR,
    KeyS,
    KeyT,
    KeyU,
    KeyV,
    KeyW,
    KeyX,
    KeyY,
    KeyZ,
    Digit1,
    Digit2,
    Digit3,
    Digit4,
    Digit5,
    Digit6,
    Digit7,
    Digit8,
    Digit9,
    Digit0,
    Enter,
    Escape,
    Backspace,
    Tab,
    Space,
    Minus,
    Equal,
    BracketLeft,
    BracketRight,
    Backslash,
    Backslash,
    Semicolon,
    Quote,
    Backquote,
    Comma,
    Period,
    Slash,
    CapsLock,
    F1,
    F2,
    F3,
    F4,
    F5,
    F6,
    F7,
    F8,
    F9,
    F10,
    F11,
    F12,
    PrintScreen,
    ScrollLock,
    Pause,
    Insert,
    Home,
    PageUp,
    Delete,
    End,
    PageDown,
    ArrowRight,
    ArrowLeft,
    ArrowDown,
    ArrowUp,
    NumLock,
    NumpadDivide,
    NumpadMultiply,
    NumpadSubtract,
    NumpadAdd,
    NumpadEnter,
    Numpad1,
    Numpad2,
    Numpad3,
    Numpad4,
    Numpad5,
    Numpad6,
    Numpad7,
    Numpad8,
    Numpad9,
    Numpad0,
    NumpadDecimal,
    IntlBackslash,
    ContextMenu,
];

const MODIFIERS: &[KeyCode] =
    &[ControlLeft, ShiftLeft, AltLeft, SuperLeft, ControlRight, ShiftRight, AltRight, SuperRight];

/// The usage of a key, if the keyboard VM knows it.
pub(crate) fn usage(code: KeyCode) -> Option<u16> {
    let place = |keys: &[KeyCode], first: u16| {
        keys.iter().position(|key| *key == code).and_then(|at| u16::try_from(at).ok()).map(|at| first + at)
    };
    place(MAIN, FIRST).or_else(|| place(MODIFIERS, FIRST_MODIFIER))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vm_keyboard::{KEYS, Key};

    /// Spot checks along the list: a missing or doubled entry would shift all that follow.
    #[test]
    fn the_windows_keys_are_those_of_the_table() {
        for (code, qcode) in [
            (KeyA, "a"),
            (Digit0, "0"),
            (Backslash, "backslash"),
            (Semicolon, "semicolon"),
            (F12, "f12"),
            (ArrowUp, "up"),
            (Numpad0, "kp_0"),
            (ContextMenu, "compose"),
            (ControlLeft, "ctrl"),
            (SuperRight, "meta_r"),
        ] {
            assert_eq!(usage(code), Key::by_qcode(qcode).map(|key| key.usage), "{qcode}");
        }
        let known =
            MAIN.iter().chain(MODIFIERS).filter_map(|code| usage(*code)).collect::<std::collections::HashSet<_>>();
        assert!(KEYS.iter().all(|key| known.contains(&key.usage)), "every key can be pressed in a window");
        assert_eq!(usage(Lang1), None);
    }
}
