//! What the caller chooses: processor features, optimisation, how memory accesses are checked.

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;

use cranelift_codegen::isa::{self, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable, Flags, SetError};

use crate::error::CompileError;

/// All that a compilation depends on besides the module: part of a code cache's key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Which instructions the processor has.
    pub cpu: Cpu,
    /// How hard to optimise.
    pub opt: Opt,
    /// How accesses to the linear memory are kept inside it.
    pub bounds: Bounds,
    /// Whether code can be interrupted.
    pub deadlines: Deadlines,
    /// Whether Cranelift checks its own input and each pass; for tests, it costs 60 to 80 %.
    pub verify: bool,
}

/// How hard to optimise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Opt {
    /// Faster code.
    #[default]
    Speed,
    /// No optimisation; saves little compile time, exists to compare with.
    None,
}

/// How accesses to the linear memory are kept inside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Bounds {
    /// The engine reserves [`GUARD_REGION_BYTES`] for each memory, so any address that the code can
    /// form either lies in the memory or faults: no check.
    #[default]
    Guard,
    /// A comparison before each access; needs no address space.
    Explicit,
}

impl Bounds {
    /// Both ways.
    pub const ALL: [Bounds; 2] = [Bounds::Guard, Bounds::Explicit];

    /// What users call it: in options, manifests and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Bounds::Guard => "guard",
            Bounds::Explicit => "explicit",
        }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Bounds {
    type Err = UnknownBounds;
    fn from_str(text: &str) -> Result<Bounds, UnknownBounds> {
        let named = Bounds::ALL.into_iter().find(|bounds| bounds.name() == text);
        named.ok_or_else(|| UnknownBounds(text.to_string()))
    }
}

/// Memory accesses are not checked in the way that was asked for: there is no such way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownBounds(String);

impl fmt::Display for UnknownBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [guard, explicit] = Bounds::ALL;
        write!(
            f,
            "memory accesses are not checked by `{}`: say `{guard}` (the processor finds those outside, which costs nothing) \
             or `{explicit}` (a comparison before each)",
            self.0
        )
    }
}

impl core::error::Error for UnknownBounds {}

/// Whether code looks at the core's interrupt word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Deadlines {
    /// So often that no loop or recursion runs on without a look.
    #[default]
    Checked,
    /// Never: it may hold its core for ever. Only to measure what the looks cost.
    Absent,
}

/// What the engine reserves for a memory under [`Bounds::Guard`]: a 32-bit address, plus a 32-bit
/// constant offset, plus a page for the width of the access.
pub const GUARD_REGION_BYTES: u64 = (1 << 33) + 4096;

macro_rules! features {
    ($($(#[$doc:meta])* $field:ident = $flag:literal;)*) => {
        /// Instructions beyond SSE2 that generated code may use.
        ///
        /// Of AVX only what works on 128 bits is used, and what the base saves of a VM are those: nothing lives in the upper halves.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Cpu { $($(#[$doc])* pub $field: bool,)* }

        impl Cpu {
            fn flags(self) -> impl Iterator<Item = &'static str> {
                [$((self.$field, $flag)),*].into_iter().filter(|(has, _)| *has).map(|(_, flag)| flag)
            }
        }
    };
}

features! {
    /// SSE3
    sse3 = "has_sse3";
    /// SSSE3
    ssse3 = "has_ssse3";
    /// SSE4.1: rounding
    sse41 = "has_sse41";
    /// SSE4.2
    sse42 = "has_sse42";
    /// `popcnt`
    popcnt = "has_popcnt";
    /// `lzcnt`
    lzcnt = "has_lzcnt";
    /// BMI1: `tzcnt`
    bmi1 = "has_bmi1";
    /// BMI2: shifts without flags
    bmi2 = "has_bmi2";
    /// AVX: three operands
    avx = "has_avx";
    /// AVX2
    avx2 = "has_avx2";
}

impl Cpu {
    /// What every x86-64 processor has.
    pub const BASELINE: Cpu = Cpu {
        sse3: false,
        ssse3: false,
        sse41: false,
        sse42: false,
        popcnt: false,
        lzcnt: false,
        bmi1: false,
        bmi2: false,
        avx: false,
        avx2: false,
    };

    /// What this processor has, by `cpuid`; [`Cpu::BASELINE`] where that cannot be asked.
    pub fn detect() -> Cpu {
        #[cfg(target_arch = "x86_64")]
        {
            let cpuid = raw_cpuid::CpuId::new();
            let basic = cpuid.get_feature_info();
            let more = cpuid.get_extended_feature_info();
            let avx = is_avx_enabled(&cpuid);
            let amd = cpuid.get_extended_processor_and_feature_identifiers();
            let basic = |test: fn(&raw_cpuid::FeatureInfo) -> bool| basic.as_ref().is_some_and(test);
            Cpu {
                sse3: basic(|f| f.has_sse3()),
                ssse3: basic(|f| f.has_ssse3()),
                sse41: basic(|f| f.has_sse41()),
                sse42: basic(|f| f.has_sse42()),
                popcnt: basic(|f| f.has_popcnt()),
                lzcnt: amd.as_ref().is_some_and(|f| f.has_lzcnt()),
                bmi1: more.as_ref().is_some_and(|f| f.has_bmi1()),
                bmi2: more.as_ref().is_some_and(|f| f.has_bmi2()),
                avx,
                avx2: avx && more.as_ref().is_some_and(|f| f.has_avx2()),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Cpu::BASELINE
    }
}

/// Whether the processor has AVX and whoever runs it has enabled it.
#[cfg(target_arch = "x86_64")]
fn is_avx_enabled(cpuid: &raw_cpuid::CpuId<impl raw_cpuid::CpuIdReader>) -> bool {
    let has = cpuid.get_feature_info().is_some_and(|f| f.has_avx() && f.has_oxsave());
    // What is enabled shows in how much there is to save (Intel SDM volume 1, 13.5.1).
    has && cpuid.get_extended_state_info().is_some_and(|s| s.xsave_area_size_enabled_features() >= AVX_STATE_END)
}

/// Where the upper halves of the vector registers end in what `xsave` stores, in bytes.
#[cfg(target_arch = "x86_64")]
const AVX_STATE_END: u32 = 832;

impl Options {
    /// For this processor: full speed, guarded memories, no self-checks.
    pub fn detect() -> Options {
        Options {
            cpu: Cpu::detect(),
            opt: Opt::default(),
            bounds: Bounds::default(),
            deadlines: Deadlines::default(),
            verify: false,
        }
    }

    /// Cranelift's target for these options.
    pub(crate) fn target(&self) -> Result<OwnedTargetIsa, CompileError> {
        let mut builder = isa::lookup_by_name("x86_64-unknown-none-elf").map_err(setup)?;
        for flag in self.cpu.flags() {
            builder.enable(flag).map_err(setup)?;
        }
        builder.finish(self.flags().map_err(setup)?).map_err(setup)
    }

    fn flags(&self) -> Result<Flags, SetError> {
        let mut flags = settings::builder();
        let opt = match self.opt {
            Opt::Speed => "speed",
            Opt::None => "none",
        };
        flags.set("opt_level", opt)?;
        flags.set("enable_verifier", if self.verify { "true" } else { "false" })?;
        flags.set("is_pic", "false")?;
        flags.set("unwind_info", "false")?;
        // Fault reports walk the frames; a large frame must not jump over the guard page.
        flags.set("preserve_frame_pointers", "true")?;
        flags.set("enable_probestack", "true")?;
        flags.set("probestack_strategy", "inline")?;
        // Functions of more results than registers.
        flags.set("enable_multi_ret_implicit_sret", "true")?;
        Ok(Flags::new(flags))
    }
}

fn setup(error: impl core::fmt::Display) -> CompileError {
    CompileError::Setup { detail: error.to_string() }
}
