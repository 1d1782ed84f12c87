//! Where is the text in Markdown code? Followed character by character, so that a stream can be followed too.
//!
//! A fence is three or more backticks or tildes at the start of a line (after spaces, quote marks, bullets, numbers). It is closed by as
//! many of the same with nothing behind them. A backtick outside a fence opens a span, at most to the end of the line.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Nothing but indentation, bullets and numbers so far.
    Start,
    /// Inside a run of backticks or tildes that began the line.
    Run { mark: char, len: u16 },
    /// A closing run, and only white space since.
    Closing,
    /// The rest of an opening line.
    Info,
    /// Ordinary text.
    Text,
}

#[derive(Debug, Clone)]
pub(crate) struct Fence {
    line: Line,
    open: Option<(char, u16)>,
    span: bool,
    /// Something visible stands below the line that opened the fence.
    filled: bool,
}

impl Fence {
    pub(crate) const fn new() -> Self {
        Self {
            line: Line::Start,
            open: None,
            span: false,
            filled: false,
        }
    }

    /// Is the place reached in a fenced block or a code span?
    #[inline]
    pub(crate) const fn in_code(&self) -> bool {
        self.open.is_some() || self.span
    }

    /// Would the text, ending here, leave a block open that holds something?
    pub(crate) const fn is_left_open(&self) -> bool {
        if self.open.is_none() || !self.filled {
            return false;
        }
        match (self.line, self.open) {
            (Line::Closing, _) => false,
            (Line::Run { mark, len }, Some((fence, n))) => mark as u32 != fence as u32 || len < n,
            _ => true,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, ch: char) {
        match self.line {
            Line::Text if ch != '\n' && ch != '`' => {}
            _ => self.step(ch),
        }
    }

    fn step(&mut self, ch: char) {
        if ch == '\n' {
            if self.closes() {
                self.open = None;
            } else if let Line::Run { mark, len } = self.line
                && len >= 3
                && self.open.is_none()
            {
                self.open_with(mark, len);
            }
            self.line = Line::Start;
            self.span = false;
            return;
        }
        match self.line {
            Line::Start => match ch {
                '`' | '~' => self.line = Line::Run { mark: ch, len: 1 },
                _ if ch.is_whitespace() => {}
                '>' | '-' | '*' | '+' | '.' | ')' | '0'..='9' if self.open.is_none() => {}
                '>' if self.open.is_some() => {}
                _ => self.text(),
            },
            Line::Run { mark, len } => {
                if ch == mark {
                    self.line = Line::Run {
                        mark,
                        len: len.saturating_add(1),
                    };
                } else if self.open.is_some() {
                    if self.closes() && ch.is_whitespace() {
                        self.line = Line::Closing;
                    } else {
                        self.text();
                    }
                } else if len >= 3 {
                    self.open_with(mark, len);
                    self.line = Line::Info;
                } else {
                    self.span = mark == '`' && len == 1;
                    self.text();
                }
            }
            Line::Closing if !ch.is_whitespace() => self.text(),
            Line::Closing => {}
            // A backtick behind an opening run: it was a span on one line, not a fence.
            Line::Info if ch == '`' && self.open.is_some_and(|(mark, _)| mark == '`') => {
                self.open = None;
                self.line = Line::Text;
            }
            Line::Info => {}
            Line::Text => {
                if ch == '`' && self.open.is_none() {
                    self.span = !self.span;
                }
            }
        }
    }

    const fn text(&mut self) {
        self.line = Line::Text;
        if self.open.is_some() {
            self.filled = true;
        }
    }

    const fn open_with(&mut self, mark: char, len: u16) {
        self.open = Some((mark, len));
        self.filled = false;
    }

    fn closes(&self) -> bool {
        match (self.line, self.open) {
            (Line::Closing, _) => true,
            (Line::Run { mark, len }, Some((fence, n))) => mark == fence && len >= n,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Fence {
        let mut fence = Fence::new();
        text.chars().for_each(|ch| fence.push(ch));
        fence
    }

    #[test]
    fn a_fence_is_open_until_its_like_closes_it() {
        for open in [
            "```rust\nfn main() {\n",
            "~~~\ntext\n```\n",
            "````md\n```\ninner\n```\n",
            "- ```sh\n  ls\n",
            "a\n```\nx\n```\nb\n```py\nprint(1)",
            "```\nx\n``` not closed\n",
        ] {
            assert!(after(open).is_left_open(), "{open:?}");
        }
        for closed in [
            "plain",
            "```rust\nfn main() {}\n```",
            "```rust\nfn main() {}\n```  \n",
            "use ```inline``` here\nand `span`",
            "```one line```\ntext",
            "1. ```sh\n   ls\n   ```\n2. done",
            // A bare fence as the last line is a sloppy end, not a cut.
            "```markdown\n```bash\nls\n```\ntext\n```",
        ] {
            assert!(!after(closed).is_left_open(), "{closed:?}");
        }
    }

    #[test]
    fn a_span_ends_with_its_line() {
        assert!(after("see `x").in_code());
        assert!(!after("see `x` and").in_code());
        assert!(!after("see `x\nand").in_code());
    }
}
