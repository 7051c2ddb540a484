//! Vectors (reference, chapter "Vectors"): 128 bits as lanes of integers or floats, lane 0 first.

use alloc::vec::Vec;

use crate::number::{float32, float64};
use crate::value::Vector;

/// What a lane can be.
pub(crate) trait Lane: Copy {
    const BYTES: usize;
    const LANES: usize = 16 / Self::BYTES;
    fn get(vector: &Vector, lane: usize) -> Self;
    fn put(self, vector: &mut Vector, lane: usize);
}

macro_rules! lanes {
    ($($ty:ty)*) => {$(
        impl Lane for $ty {
            const BYTES: usize = size_of::<$ty>();

            fn get(vector: &Vector, lane: usize) -> Self {
                let mut bytes = [0; size_of::<$ty>()];
                let at = lane % Self::LANES * Self::BYTES;
                bytes.copy_from_slice(&vector[at..at + Self::BYTES]);
                <$ty>::from_le_bytes(bytes)
            }

            fn put(self, vector: &mut Vector, lane: usize) {
                let at = lane % Self::LANES * Self::BYTES;
                vector[at..at + Self::BYTES].copy_from_slice(&self.to_le_bytes());
            }
        }
    )*};
}

lanes!(i8 u8 i16 u16 i32 u32 i64 u64 f32 f64);

/// All lanes.
pub(crate) fn lanes<T: Lane>(vector: Vector) -> Vec<T> {
    (0..T::LANES).map(|lane| T::get(&vector, lane)).collect()
}

/// A vector of these lanes, zero behind them.
pub(crate) fn from_lanes<T: Lane>(lanes: impl IntoIterator<Item = T>) -> Vector {
    let mut out = [0; 16];
    for (lane, value) in lanes.into_iter().take(T::LANES).enumerate() {
        value.put(&mut out, lane);
    }
    out
}

pub(crate) fn splat<T: Lane>(value: T) -> Vector {
    from_lanes(core::iter::repeat_n(value, T::LANES))
}

pub(crate) fn replace<T: Lane>(mut vector: Vector, lane: u8, value: T) -> Vector {
    value.put(&mut vector, usize::from(lane));
    vector
}

pub(crate) fn map<T: Lane, R: Lane>(a: Vector, f: impl Fn(T) -> R) -> Vector {
    from_lanes(lanes::<T>(a).into_iter().map(f))
}

pub(crate) fn zip<T: Lane, R: Lane>(a: Vector, b: Vector, f: impl Fn(T, T) -> R) -> Vector {
    from_lanes(lanes::<T>(a).into_iter().zip(lanes::<T>(b)).map(|(a, b)| f(a, b)))
}

/// Lanes of ones where the comparison holds, else of zeros.
pub(crate) fn compare<T: Lane>(a: Vector, b: Vector, f: impl Fn(T, T) -> bool) -> Vector {
    let mut out = [0; 16];
    for lane in 0..T::LANES {
        if f(T::get(&a, lane), T::get(&b, lane)) {
            out[lane * T::BYTES..(lane + 1) * T::BYTES].fill(0xff);
        }
    }
    out
}

pub(crate) fn all_true<T: Lane + PartialEq + Default>(a: Vector) -> bool {
    lanes::<T>(a).into_iter().all(|lane| lane != T::default())
}

/// Bit n is the sign of lane n.
pub(crate) fn bitmask<T: Lane + PartialOrd + Default>(a: Vector) -> i32 {
    let signs = lanes::<T>(a).into_iter().enumerate().filter(|(_, lane)| *lane < T::default());
    signs.fold(0, |mask, (lane, _)| mask | 1 << lane)
}

/// The low or high half of the lanes, widened.
pub(crate) fn extend<T: Lane, R: Lane + From<T>>(a: Vector, high: bool) -> Vector {
    from_lanes(half::<T>(a, high).into_iter().map(R::from))
}

fn half<T: Lane>(a: Vector, high: bool) -> Vec<T> {
    lanes::<T>(a).into_iter().skip(if high { T::LANES / 2 } else { 0 }).take(T::LANES / 2).collect()
}

/// Products of the low or high halves, which fit lanes of twice the width.
pub(crate) fn extmul<T: Lane, R: Lane + From<T> + core::ops::Mul<Output = R>>(
    a: Vector,
    b: Vector,
    high: bool,
) -> Vector {
    from_lanes(half::<T>(a, high).into_iter().zip(half::<T>(b, high)).map(|(a, b)| R::from(a) * R::from(b)))
}

/// Sums of neighbours, which fit lanes of twice the width.
pub(crate) fn extadd<T: Lane, R: Lane + From<T> + core::ops::Add<Output = R>>(a: Vector) -> Vector {
    from_lanes(lanes::<T>(a).chunks_exact(2).map(|pair| R::from(pair[0]) + R::from(pair[1])))
}

/// Both vectors' lanes, narrowed, the first one's in the low half.
pub(crate) fn narrow<T: Lane, R: Lane>(a: Vector, b: Vector, f: impl Fn(T) -> R) -> Vector {
    from_lanes(lanes::<T>(a).into_iter().chain(lanes::<T>(b)).map(f))
}

pub(crate) fn dot(a: Vector, b: Vector) -> Vector {
    let products: Vec<i32> =
        lanes::<i16>(a).into_iter().zip(lanes::<i16>(b)).map(|(a, b)| i32::from(a) * i32::from(b)).collect();
    from_lanes(products.chunks_exact(2).map(|pair| pair[0].wrapping_add(pair[1])))
}

/// Fixed-point product of 15 fractional bits, rounded, saturated.
pub(crate) fn q15mulr(a: i16, b: i16) -> i16 {
    let product = (i32::from(a) * i32::from(b) + 0x4000) >> 15;
    product.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// The bytes of `a` that `b` names; 0 for what is no lane.
pub(crate) fn swizzle(a: Vector, b: Vector) -> Vector {
    b.map(|index| a.get(usize::from(index)).copied().unwrap_or(0))
}

/// Bytes by number: 0 to 15 of `a`, 16 to 31 of `b`.
pub(crate) fn shuffle(a: Vector, b: Vector, numbers: [u8; 16]) -> Vector {
    numbers.map(|number| if number < 16 { a[usize::from(number)] } else { b[usize::from(number) % 16] })
}

pub(crate) fn bits(a: Vector, b: Vector, f: impl Fn(u128, u128) -> u128) -> Vector {
    f(u128::from_le_bytes(a), u128::from_le_bytes(b)).to_le_bytes()
}

/// `a` where the mask has ones, else `b`.
pub(crate) fn bitselect(a: Vector, b: Vector, mask: Vector) -> Vector {
    let [a, b, mask] = [a, b, mask].map(u128::from_le_bytes);
    (a & mask | b & !mask).to_le_bytes()
}

/// `f32` arithmetic, lane by lane.
pub(crate) fn floats32(a: Vector, b: Vector, f: impl Fn(f32, f32) -> f32) -> Vector {
    zip::<f32, f32>(a, b, |a, b| float32::canonical(f(a, b)))
}

/// `f64` arithmetic, lane by lane.
pub(crate) fn floats64(a: Vector, b: Vector, f: impl Fn(f64, f64) -> f64) -> Vector {
    zip::<f64, f64>(a, b, |a, b| float64::canonical(f(a, b)))
}

/// The low lanes of two wider ones as narrow ones, zeros behind.
pub(crate) fn low<T: Lane, R: Lane>(a: Vector, f: impl Fn(T) -> R) -> Vector {
    from_lanes(lanes::<T>(a).into_iter().take(R::LANES).map(f))
}
