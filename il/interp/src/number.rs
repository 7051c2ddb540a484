//! Numerics (reference, chapter "Numbers"): what WebAssembly 3.0's deterministic profile says.
//!
//! Integers wrap, shift counts are taken modulo the width. A float result that is a NaN is the one
//! canonical NaN; operators that only move bits (`neg`, `abs`, `copysign`, reinterpretation, loads)
//! keep whatever bits they meet.
//!
//! `core` has no square root and no rounding, so they are done on the bits, exactly.

use il::trap::TrapKind;

/// The one `f32` NaN that arithmetic yields.
const NAN_32: u32 = 0x7fc0_0000;
/// The one `f64` NaN that arithmetic yields.
const NAN_64: u64 = 0x7ff8_0000_0000_0000;

type Checked<T> = Result<T, TrapKind>;

macro_rules! integers {
    ($module:ident, $signed:ty, $unsigned:ty) => {
        /// Of this width.
        pub(crate) mod $module {
            use super::{Checked, TrapKind};

            pub fn div_s(a: $signed, b: $signed) -> Checked<$signed> {
                match b {
                    0 => Err(TrapKind::DivisionByZero),
                    b => a.checked_div(b).ok_or(TrapKind::IntegerOverflow),
                }
            }

            pub fn rem_s(a: $signed, b: $signed) -> Checked<$signed> {
                match b {
                    0 => Err(TrapKind::DivisionByZero),
                    b => Ok(a.wrapping_rem(b)),
                }
            }

            pub fn div_u(a: $unsigned, b: $unsigned) -> Checked<$unsigned> {
                a.checked_div(b).ok_or(TrapKind::DivisionByZero)
            }

            pub fn rem_u(a: $unsigned, b: $unsigned) -> Checked<$unsigned> {
                a.checked_rem(b).ok_or(TrapKind::DivisionByZero)
            }

            pub fn shl(a: $signed, count: $signed) -> $signed {
                a.wrapping_shl(count as u32)
            }

            pub fn shr_s(a: $signed, count: $signed) -> $signed {
                a.wrapping_shr(count as u32)
            }

            pub fn shr_u(a: $unsigned, count: $unsigned) -> $unsigned {
                a.wrapping_shr(count as u32)
            }

            pub fn rotl(a: $unsigned, count: $unsigned) -> $unsigned {
                a.rotate_left((count % <$unsigned>::BITS as $unsigned) as u32)
            }

            pub fn rotr(a: $unsigned, count: $unsigned) -> $unsigned {
                a.rotate_right((count % <$unsigned>::BITS as $unsigned) as u32)
            }
        }
    };
}

integers!(int32, i32, u32);
integers!(int64, i64, u64);

macro_rules! floats {
    ($module:ident, $float:ty, $bits:ty, $int:ty, $nan:expr, $fraction:expr, $bias:expr, $sqrt:path) => {
        /// Of this width.
        pub(crate) mod $module {
            use super::{Checked, TrapKind};

            const SIGN: $bits = 1 << (<$bits>::BITS - 1);
            /// Bits of the fraction.
            const FRACTION: u32 = $fraction;

            /// The result of an arithmetic operator.
            pub fn canonical(value: $float) -> $float {
                if value.is_nan() { <$float>::from_bits($nan) } else { value }
            }

            /// The lesser; NaN if one is NaN, -0 below 0.
            pub fn min(a: $float, b: $float) -> $float {
                if a.is_nan() || b.is_nan() {
                    <$float>::from_bits($nan)
                } else if a == b {
                    // Equal but perhaps of different sign: -0 wins.
                    <$float>::from_bits(a.to_bits() | b.to_bits())
                } else if a < b {
                    a
                } else {
                    b
                }
            }

            /// The greater; NaN if one is NaN, 0 above -0.
            pub fn max(a: $float, b: $float) -> $float {
                if a.is_nan() || b.is_nan() {
                    <$float>::from_bits($nan)
                } else if a == b {
                    <$float>::from_bits(a.to_bits() & b.to_bits())
                } else if a > b {
                    a
                } else {
                    b
                }
            }

            /// `b` if it is less, else `a`, NaN or not.
            pub fn pmin(a: $float, b: $float) -> $float {
                if b < a { b } else { a }
            }

            /// `b` if it is greater, else `a`, NaN or not.
            pub fn pmax(a: $float, b: $float) -> $float {
                if a < b { b } else { a }
            }

            pub fn neg(a: $float) -> $float {
                <$float>::from_bits(a.to_bits() ^ SIGN)
            }

            pub fn abs(a: $float) -> $float {
                <$float>::from_bits(a.to_bits() & !SIGN)
            }

            pub fn copysign(a: $float, b: $float) -> $float {
                <$float>::from_bits(a.to_bits() & !SIGN | b.to_bits() & SIGN)
            }

            pub fn sqrt(a: $float) -> $float {
                // Negative numbers but -0, and NaN, have none.
                if a.is_nan() || a < 0.0 {
                    <$float>::from_bits($nan)
                } else if a == 0.0 || a.is_infinite() {
                    a
                } else {
                    $sqrt(a)
                }
            }

            /// Without the fraction, keeping the sign; NaN becomes canonical.
            pub fn trunc(a: $float) -> $float {
                let exponent = (a.to_bits() >> FRACTION & (SIGN >> FRACTION) - 1) as i32 - $bias;
                if a.is_nan() {
                    <$float>::from_bits($nan)
                } else if exponent < 0 {
                    copysign(0.0, a)
                } else if exponent >= FRACTION as i32 {
                    a
                } else {
                    let below = (1 << (FRACTION as i32 - exponent)) - 1;
                    <$float>::from_bits(a.to_bits() & !below)
                }
            }

            pub fn floor(a: $float) -> $float {
                let whole = trunc(a);
                if whole > a { whole - 1.0 } else { whole }
            }

            pub fn ceil(a: $float) -> $float {
                let whole = trunc(a);
                if whole < a { copysign(whole + 1.0, a) } else { whole }
            }

            /// The nearest integer, the even one of two that are equally near.
            pub fn nearest(a: $float) -> $float {
                let whole = trunc(a);
                let rest = abs(a - whole);
                let odd = trunc(whole / 2.0) * 2.0 != whole;
                if rest > 0.5 || rest == 0.5 && odd { whole + copysign(1.0, a) } else { whole }
            }

            // Conversions. Bounds are exact: each is the first float that does not fit.

            pub fn to_i32_s(a: $float) -> Checked<i32> {
                let whole = trunc(a);
                let fits = (-2_147_483_648.0..2_147_483_648.0).contains(&whole);
                if fits { Ok(whole as i32) } else { Err(TrapKind::BadConversion) }
            }

            pub fn to_i32_u(a: $float) -> Checked<u32> {
                let whole = trunc(a);
                let fits = (0.0..4_294_967_296.0).contains(&whole);
                if fits { Ok(whole as u32) } else { Err(TrapKind::BadConversion) }
            }

            pub fn to_i64_s(a: $float) -> Checked<i64> {
                let whole = trunc(a);
                let fits = (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&whole);
                if fits { Ok(whole as i64) } else { Err(TrapKind::BadConversion) }
            }

            pub fn to_i64_u(a: $float) -> Checked<u64> {
                let whole = trunc(a);
                let fits = (0.0..18_446_744_073_709_551_616.0).contains(&whole);
                if fits { Ok(whole as u64) } else { Err(TrapKind::BadConversion) }
            }
        }
    };
}

floats!(float32, f32, u32, i32, super::NAN_32, 23, 127, super::sqrt_32);
floats!(float64, f64, u64, i64, super::NAN_64, 52, 1023, super::sqrt_64);

/// The square root of a positive, finite number, correctly rounded.
fn sqrt_64(a: f64) -> f64 {
    let bits = a.to_bits();
    let (mut mantissa, mut exponent) = (bits & ((1 << 52) - 1), (bits >> 52) as i32);
    if exponent == 0 {
        // Subnormal: shift the highest bit to where the implicit one would be.
        let shift = mantissa.leading_zeros() as i32 - 11;
        mantissa <<= shift;
        exponent = 1 - shift;
    } else {
        mantissa |= 1 << 52;
    }
    // a = mantissa * 2^power with an even power, widened so that the root has 56 bits.
    let mut power = exponent - 1075;
    if power & 1 != 0 {
        mantissa <<= 1;
        power -= 1;
    }
    let wide = u128::from(mantissa) << 58;
    let root = wide.isqrt();
    // The last bit only says "more than this", so that the conversion rounds to nearest even rightly.
    let sticky = u64::from(root * root != wide);
    let scale = (power - 58) / 2 - 1;
    (((root as u64) << 1 | sticky) as f64) * f64::from_bits(((scale + 1023) as u64) << 52)
}

/// The same; a double has enough digits more that rounding twice is rounding once.
fn sqrt_32(a: f32) -> f32 {
    sqrt_64(f64::from(a)) as f32
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Some of everything: signs, subnormals, halves, integers' ends, infinities, NaNs.
    fn samples() -> Vec<f64> {
        let mut all = vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.5, 0.499_999_999_999_999_94, 1e300, 5e-324, 2.2e-308];
        all.extend([2_147_483_647.5, 2_147_483_648.0, 4_294_967_295.9, 9_223_372_036_854_775_807.0, f64::INFINITY]);
        all.extend([4_503_599_627_370_495.5, 4_503_599_627_370_497.0, 1.8446744073709552e19, f64::NAN, f64::MAX]);
        let mut seed = 1u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            all.push(f64::from_bits(seed));
            all.push((seed >> 40) as f64 / 256.0);
        }
        let negative: Vec<f64> = all.iter().map(|value| -value).collect();
        all.extend(negative);
        all
    }

    fn same(left: f64, right: f64) -> bool {
        left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan()
    }

    #[test]
    fn rounding_and_roots_are_those_of_the_machine() {
        for value in samples() {
            assert!(same(float64::sqrt(value), value.sqrt()), "sqrt {value:?}");
            assert!(same(float64::floor(value), value.floor()), "floor {value:?}");
            assert!(same(float64::ceil(value), value.ceil()), "ceil {value:?}");
            assert!(same(float64::trunc(value), value.trunc()), "trunc {value:?}");
            assert!(same(float64::nearest(value), value.round_ties_even()), "nearest {value:?}");
            let small = value as f32;
            let same = |left: f32, right: f32| left.to_bits() == right.to_bits() || left.is_nan() && right.is_nan();
            assert!(same(float32::sqrt(small), small.sqrt()), "sqrt {small:?}");
            assert!(same(float32::floor(small), small.floor()), "floor {small:?}");
            assert!(same(float32::ceil(small), small.ceil()), "ceil {small:?}");
            assert!(same(float32::nearest(small), small.round_ties_even()), "nearest {small:?}");
        }
    }

    #[test]
    fn nans_are_canonical_and_zeros_have_signs() {
        let odd = f64::from_bits(0xfff8_0000_0000_0001);
        assert_eq!(float64::canonical(odd).to_bits(), NAN_64);
        assert_eq!(float64::min(odd, 1.0).to_bits(), NAN_64);
        assert_eq!(float64::neg(odd).to_bits(), 0x7ff8_0000_0000_0001);
        assert_eq!(float64::pmin(odd, 1.0).to_bits(), odd.to_bits());
        assert_eq!(float64::min(0.0, -0.0).to_bits(), (-0.0f64).to_bits());
        assert_eq!(float64::max(-0.0, 0.0).to_bits(), 0);
        assert_eq!(float64::nearest(-0.5).to_bits(), (-0.0f64).to_bits());
        assert_eq!(float64::ceil(-0.5).to_bits(), (-0.0f64).to_bits());
        assert_eq!(float64::sqrt(-0.0).to_bits(), (-0.0f64).to_bits());
        assert_eq!(float64::sqrt(-1.0).to_bits(), NAN_64);
    }

    #[test]
    fn conversions_trap_just_outside() {
        assert_eq!(float64::to_i32_s(-2_147_483_648.9), Ok(i32::MIN));
        assert_eq!(float64::to_i32_s(2_147_483_648.0), Err(TrapKind::BadConversion));
        assert_eq!(float64::to_i32_u(-0.9), Ok(0));
        assert_eq!(float64::to_i32_u(-1.0), Err(TrapKind::BadConversion));
        assert_eq!(float32::to_i64_u(1.8446743e19), Ok(18_446_742_974_197_923_840));
        assert_eq!(float64::to_i64_s(f64::NAN), Err(TrapKind::BadConversion));
    }

    #[test]
    fn division_and_shifts() {
        assert_eq!(int32::div_s(i32::MIN, -1), Err(TrapKind::IntegerOverflow));
        assert_eq!(int32::rem_s(i32::MIN, -1), Ok(0));
        assert_eq!(int64::div_u(5, 0), Err(TrapKind::DivisionByZero));
        assert_eq!(int32::shl(1, 33), 2);
        assert_eq!(int64::shr_s(-8, 65), -4);
        assert_eq!(int32::rotl(0x8000_0001, 33), 3);
        assert_eq!(int64::rotr(1, 1), 1 << 63);
    }
}
