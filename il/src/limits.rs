//! Every limit of a module, in one place.
//!
//! The decoder checks counts against these before it allocates, the verifier checks them again
//! (a module may come from a front end instead of bytes), and the reference publishes [`ALL`]. All
//! are inclusive maxima.

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident = $value:expr, $what:literal;)*) => {
        $($(#[$doc])* pub const $name: usize = $value;)*
        /// Every limit: (name, value, what it limits), for the reference.
        pub const ALL: &[(&str, usize, &str)] = &[$((stringify!($name), $name, $what),)*];
    };
}

limits! {
    /// An encoded module.
    MODULE_BYTES = 64 << 20, "bytes of a module";
    /// A name: of the module, an instruction, a function, a local.
    NAME_BYTES = 255, "bytes of a name";
    /// Literals of `str`, `trap` and `assert`.
    STRINGS = 1 << 16, "literals";
    /// One literal; it must fit into one packet with room to spare.
    STRING_BYTES = 32 << 10, "bytes of a literal";
    /// Type definitions.
    TYPES = 1 << 14, "type definitions";
    /// Fields of a struct, inherited ones included.
    FIELDS = 1024, "fields of a struct, inherited ones included";
    /// Fields of all structs together, inherited ones counted in each.
    ALL_FIELDS = 1 << 18, "fields of all structs, inherited ones included";
    /// Definitions, fields and punctuation in the description of an operand's type.
    SHAPE_PARTS = (1 << 12) - 1, "parts of the description of an operand's type";
    /// The descriptions of the types of all operands of a module's instruction sets together.
    SHAPE_BYTES = 1 << 18, "bytes of the descriptions of operands' types";
    /// Arrays of arrays.
    ARRAY_DEPTH = 64, "arrays inside one another";
    /// Structs that extend one another.
    STRUCT_DEPTH = 64, "structs that extend one another in a chain";
    /// Bytes of a global's initial value, encoded.
    INIT_BYTES = 4 << 20, "bytes of a global's initial value";
    /// Elements of an array literal in a body.
    ARRAY_LITERAL = 1000, "elements of an array literal in a body";
    /// Values of a global's initial value: elements of its arrays, fields of its structs.
    INIT_OPERANDS = 1 << 17, "values in a global's initial value";
    /// Elements of an array at run time.
    ARRAY_ELEMENTS = (1 << 31) - 1, "elements of an array";
    /// Device programs.
    PROGRAMS = 1024, "device programs";
    /// `test` blocks.
    TESTS = 1 << 14, "tests";
    /// Source files that the names section lists.
    FILES = 4096, "source files";
    /// Instruction sets that a module embeds.
    ISAS = 64, "embedded instruction sets";
    /// Instructions of a set; also its events.
    ISA_ENTRIES = 255, "instructions, and events, of an instruction set";
    /// Wanted capabilities.
    USES = 64, "wanted capabilities";
    /// Globals.
    GLOBALS = 1 << 14, "globals";
    /// Linear memories.
    MEMORIES = 256, "memories";
    /// A linear memory: 4 GiB.
    MEMORY_PAGES = 1 << 16, "64 KiB pages of memory";
    /// Data segments.
    DATA = 1 << 16, "data segments";
    /// Functions of all kinds.
    FUNCS = 1 << 17, "functions";
    /// Exported functions.
    EXPORTS = 1 << 14, "exports";
    /// Event handlers.
    HANDLERS = 1024, "handlers";
    /// Instruction sets that a module provides.
    PROVIDES = 16, "provided instruction sets";
    /// Parameters of a function.
    PARAMS = 1000, "parameters of a function";
    /// Results of a function.
    RESULTS = 1000, "results of a function";
    /// Operands of an instruction, event or program; also its results.
    ISA_OPERANDS = crate::packet::MAX_OPERANDS, "operands, and results, of an instruction, event or program";
    /// Values that cross an entry (arguments in, or a status and results out): of an exported function too.
    MAX_VALUES = 31, "values that enter or leave an entry";
    /// Locals of a function, parameters included.
    LOCALS = 1 << 14, "locals of a function, parameters included";
    /// Locals of type `buf` in a function, parameters included.
    BUFS = 64, "`buf` locals of a function, parameters included";
    /// A function's encoded body.
    BODY_BYTES = 4 << 20, "bytes of a function's body";
    /// Constructs (`if`, blocks, loops, `switch`, `cond`) inside one another.
    NESTING = 4096, "nested constructs";
    /// Operands on the stack at once.
    OPERANDS = 1024, "operands on the stack";
    /// Height of an expression tree.
    EXPRESSION_DEPTH = 1000, "operators inside one another";
    /// Destinations of one assignment.
    DESTS = 1000, "destinations of one assignment";
    /// Names of locals in the names section, over all functions.
    LOCAL_NAMES = 1 << 18, "names of locals in a module";
    /// A module's text.
    SOURCE_BYTES = 4 << 20, "bytes of a module's text";
    /// Expressions, blocks and parentheses inside one another in text; also the operators of a chain.
    SOURCE_NESTING = 128, "expressions and blocks inside one another in text";
}
