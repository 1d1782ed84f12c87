//! Response headers, from any HTTP library.

/// Read access to response headers, for any HTTP library.
///
/// Names are matched in lower case. Implemented for slices and arrays of `(name, value)` pairs
/// (names in any case), for `()` (no headers at all) and, with feature `http`, for
/// `http::HeaderMap`.
pub trait Headers {
    /// The first value of the header `name`, which must be given in lower case.
    fn get(&self, name: &str) -> Option<&[u8]>;

    /// Calls `f` with every header: name (in lower case where the library keeps it so) and value.
    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8]));
}

impl<H: Headers + ?Sized> Headers for &H {
    fn get(&self, name: &str) -> Option<&[u8]> {
        (**self).get(name)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        (**self).for_each(f);
    }
}

impl Headers for () {
    fn get(&self, _name: &str) -> Option<&[u8]> {
        None
    }

    fn for_each(&self, _f: &mut dyn FnMut(&str, &[u8])) {}
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter()
            .find(|(key, _)| key.as_ref().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_ref())
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self {
            f(name.as_ref(), value.as_ref());
        }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const LEN: usize> Headers for [(N, V); LEN] {
    fn get(&self, name: &str) -> Option<&[u8]> {
        <[(N, V)] as Headers>::get(self, name)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        <[(N, V)] as Headers>::for_each(self, f);
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for Vec<(N, V)> {
    fn get(&self, name: &str) -> Option<&[u8]> {
        <[(N, V)] as Headers>::get(self, name)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        <[(N, V)] as Headers>::for_each(self, f);
    }
}

#[cfg(feature = "http")]
impl Headers for http::HeaderMap {
    fn get(&self, name: &str) -> Option<&[u8]> {
        Self::get(self, name).map(http::HeaderValue::as_bytes)
    }

    fn for_each(&self, f: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self {
            f(name.as_str(), value.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_a_doubled_header_is_read_in_any_case() {
        let pairs = [("Retry-After", "3"), ("retry-after", "9")];
        assert_eq!(Headers::get(&pairs, "retry-after"), Some(&b"3"[..]));
        assert_eq!(Headers::get(&(), "retry-after"), None);
        let mut seen = 0;
        Headers::for_each(&pairs, &mut |_, _| seen += 1);
        assert_eq!(seen, 2);
    }
}
