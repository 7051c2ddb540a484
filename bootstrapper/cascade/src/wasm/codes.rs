//! The kinds of errors about WebAssembly, with what to do.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident $code:literal $title:literal $text:literal)*) => {
        /// The kind of an error about a WebAssembly module.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All of them, by number.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// As printed, e.g. `WA0001`.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// In one line.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// What it means and what to do.
            pub const fn explanation(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The validator refuses it.
    Invalid "WA0001" "not a valid WebAssembly module"
        "The file breaks a rule of the WebAssembly specification: it is damaged, or what made it has a mistake.\n\
         The place is a byte from the file's start, as `wasm-objdump -d` shows it."
    /// Valid, but more than the IL carries.
    Unsupported "WA0002" "a part of WebAssembly that is left out"
        "The module is valid, but uses a proposal that the IL does not carry, or it is a component and not a core\n\
         module. The message names it; build without it."
    /// Nothing has what it imports.
    UnknownImport "WA0003" "an import that nothing has"
        "Imports come from a library of `--with NAME=FILE`, from an instruction set (`cascade.display@1`\n\
         `fill_rect`, or `try fill_rect` for a status), from `cascade.buf`, or from `wasi_snapshot_preview1`."
    /// The import has another type.
    IncompatibleImport "WA0004" "an import of another type"
        "What is imported exists with another type. For device instructions `ilc bindings --lang c` and\n\
         `--lang rust` write declarations that fit; `cascade describe` shows the instructions of a set."
    /// An export that cannot be what its name says.
    Entry "WA0005" "an export that cannot be an entry point"
        "An export whose name is that of an event (`cascade.keyboard@1.key`) is its handler, and takes its\n\
         operands and gives nothing; `_start`, `_initialize` and an exported `main` that is the entry take\n\
         and give nothing."
    /// The text form is malformed.
    Text "WA0006" "a malformed text of WebAssembly"
        "A `.wat` file is read as the WebAssembly text format."
    /// A mistake of the translator's own.
    Internal "WA0099" "a mistake in the translator"
        "A valid module made the translator fail where it never should. Please report it, with the module."
}
