//! The types that elements have, and their keys: integers in the order of the values.

use std::fmt::Debug;

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u8 {}
}

/// What a matrix may hold: f32, f64, or u8 (images). Sealed.
pub trait Element: Copy + PartialOrd + Debug + Send + Sync + Default + sealed::Sealed + 'static {
    #[doc(hidden)]
    type Key: Key;
    #[doc(hidden)]
    const HIGHEST: Self;
    #[doc(hidden)]
    const LOWEST: Self;
    #[doc(hidden)]
    fn wide(self) -> f64;
    /// The key; NaN is above all others, and -0 is 0.
    #[doc(hidden)]
    fn key(self) -> Self::Key;
    /// The key of a finite value.
    #[doc(hidden)]
    fn finite_key(self) -> Self::Key;
    /// The value of a key that is no NaN's.
    #[doc(hidden)]
    fn from_key(key: Self::Key) -> f64;
    #[doc(hidden)]
    fn is_infinity(self) -> bool;
    #[doc(hidden)]
    fn is_missing(self) -> bool;
    /// The smaller and the larger of both; a NaN is neither. (Comparing and choosing by hand is not vectorized.)
    #[doc(hidden)]
    fn smaller(self, other: Self) -> Self;
    #[doc(hidden)]
    fn larger(self, other: Self) -> Self;
}

/// What a matrix may hold after a transform: f32 or f64. Sealed.
pub trait Real: Element {
    /// The value, rounded.
    #[doc(hidden)]
    fn narrow(value: f64) -> Self;
}

/// Integers that order as the values do.
pub trait Key: Copy + Ord + Debug + Default + Send + Sync + 'static {
    /// The digits of a key, from the highest on: how far each is shifted, and its bits.
    const DIGITS: &'static [(u32, u32)];
    /// What is left of the key after a shift by less than its bits, as an index.
    fn shifted(self, shift: u32) -> u64;
    /// The key of these bits.
    fn from_bits(bits: u64) -> Self;
}

/// The bits of the first digit: what tables by the first digit are made for.
pub(super) const FIRST_BITS: u32 = 11;

macro_rules! key {
    ($key:ty, $digits:expr) => {
        impl Key for $key {
            const DIGITS: &'static [(u32, u32)] = $digits;
            #[inline(always)]
            fn shifted(self, shift: u32) -> u64 {
                (self >> shift) as u64
            }
            fn from_bits(bits: u64) -> Self {
                bits as Self
            }
        }
    };
}

key!(u8, &[(0, 8)]);
key!(u32, &[(21, 11), (10, 11), (0, 10)]);
key!(u64, &[(53, 11), (42, 11), (31, 11), (20, 11), (9, 11), (0, 9)]);

impl Element for u8 {
    type Key = u8;
    const HIGHEST: Self = Self::MAX;
    const LOWEST: Self = Self::MIN;
    #[inline(always)]
    fn wide(self) -> f64 {
        self.into()
    }
    #[inline(always)]
    fn key(self) -> u8 {
        self
    }
    #[inline(always)]
    fn finite_key(self) -> u8 {
        self
    }
    fn from_key(key: u8) -> f64 {
        key.into()
    }
    #[inline(always)]
    fn is_infinity(self) -> bool {
        false
    }
    #[inline(always)]
    fn is_missing(self) -> bool {
        false
    }
    #[inline(always)]
    fn smaller(self, other: Self) -> Self {
        Ord::min(self, other)
    }
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        Ord::max(self, other)
    }
}

macro_rules! float {
    ($float:ty, $key:ty, $signed:ty) => {
        impl Element for $float {
            type Key = $key;
            const HIGHEST: Self = Self::INFINITY;
            const LOWEST: Self = Self::NEG_INFINITY;
            #[inline(always)]
            fn wide(self) -> f64 {
                self.into()
            }
            #[inline(always)]
            fn key(self) -> $key {
                if self.is_nan() {
                    <$key>::MAX
                } else {
                    self.finite_key()
                }
            }
            #[inline(always)]
            fn finite_key(self) -> $key {
                // -0 + 0 is 0.
                let bits = (self + 0.0).to_bits();
                let sign = ((bits as $signed) >> (<$key>::BITS - 1)) as $key;
                bits ^ (sign | 1 << (<$key>::BITS - 1))
            }
            fn from_key(key: $key) -> f64 {
                const SIGN: $key = 1 << (<$key>::BITS - 1);
                let bits = if key & SIGN == 0 { !key } else { key ^ SIGN };
                Self::from_bits(bits).into()
            }
            #[inline(always)]
            fn is_infinity(self) -> bool {
                self.abs() == Self::INFINITY
            }
            #[inline(always)]
            fn is_missing(self) -> bool {
                self.is_nan()
            }
            #[inline(always)]
            fn smaller(self, other: Self) -> Self {
                self.min(other)
            }
            #[inline(always)]
            fn larger(self, other: Self) -> Self {
                self.max(other)
            }
        }

        impl Real for $float {
            #[inline(always)]
            fn narrow(value: f64) -> Self {
                value as Self
            }
        }
    };
}

float!(f32, u32, i32);
float!(f64, u64, i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_the_order_of_the_values() {
        let tiny = f32::from_bits(1);
        let values = [
            f32::NEG_INFINITY,
            f32::MIN,
            -1.5,
            -f32::MIN_POSITIVE,
            -tiny,
            0.0,
            tiny,
            f32::MIN_POSITIVE,
            1.0,
            f32::MAX,
            f32::INFINITY,
        ];
        assert!(values.is_sorted_by(|a, b| a.key() < b.key()));
        assert!(values.is_sorted_by(|a, b| f64::from(*a).key() < f64::from(*b).key()));
        for value in values {
            assert_eq!(f32::from_key(value.key()), f64::from(value));
            assert_eq!(f64::from_key(f64::from(value).key()), f64::from(value));
        }
        assert_eq!((-0.0f32).key(), 0.0f32.key());
        assert_eq!((-0.0f64).key(), 0.0f64.key());
        for nan in [f32::NAN, -f32::NAN] {
            assert_eq!((nan.key(), f64::from(nan).key()), (u32::MAX, u64::MAX));
        }
    }

    #[test]
    fn digits_cover_the_keys() {
        fn bits<K: Key>() -> u32 {
            let mut above = K::DIGITS[0].0 + K::DIGITS[0].1;
            for &(shift, bits) in K::DIGITS {
                assert_eq!(shift + bits, above);
                assert!(bits <= FIRST_BITS);
                above = shift;
            }
            assert_eq!(above, 0);
            K::DIGITS.iter().map(|digit| digit.1).sum()
        }
        assert_eq!((bits::<u8>(), bits::<u32>(), bits::<u64>()), (8, 32, 64));
    }
}
