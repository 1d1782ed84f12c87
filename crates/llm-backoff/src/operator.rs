//! What rules of every algebra have in common: `|` and `&` for each type and for what they make, and that a rule behind a pointer is a
//! rule, so that one can be shared, or chosen while the program runs.

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

/// Implements a trait of one method for references, boxes and `Arc`s of what implements it.
macro_rules! pointers {
    ($trait:ident $(<$($param:ident),+>)? => fn $method:ident(&self, $($arg:ident: $type:ty),+) -> $output:ty;) => {
        pointers! { @ $trait [$($($param),+)?] (&P) fn $method($($arg: $type),+) -> $output }
        pointers! { @ $trait [$($($param),+)?] (Box<P>) fn $method($($arg: $type),+) -> $output }
        pointers! { @ $trait [$($($param),+)?] (std::sync::Arc<P>) fn $method($($arg: $type),+) -> $output }
    };
    (@ $trait:ident [$($param:ident),*] ($pointer:ty) fn $method:ident($($arg:ident: $type:ty),+) -> $output:ty) => {
        impl<$($param,)* P: $trait<$($param),*> + ?Sized> $trait<$($param),*> for $pointer {
            fn $method(&self, $($arg: $type),+) -> $output {
                (**self).$method($($arg),+)
            }
        }
    };
}
pub(crate) use pointers;
