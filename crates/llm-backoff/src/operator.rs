//! `|` and `&` for rules: each rule type gets both operators, and so does what they make.

/// Implements `|` (to `Any`) and `&` (to `All`) for the listed types of one algebra.
macro_rules! operators {
    ($( $type:ident $(< $($param:ident),+ >)? ),+ $(,)?) => {$(
        impl<Right $(, $($param),+)?> std::ops::BitOr<Right> for $type $(<$($param),+>)? {
            type Output = Any<Self, Right>;
            fn bitor(self, right: Right) -> Any<Self, Right> {
                Any(self, right)
            }
        }

        impl<Right $(, $($param),+)?> std::ops::BitAnd<Right> for $type $(<$($param),+>)? {
            type Output = All<Self, Right>;
            fn bitand(self, right: Right) -> All<Self, Right> {
                All(self, right)
            }
        }
    )+};
}
pub(crate) use operators;
