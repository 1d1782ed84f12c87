//! What was asked for on the command line.

use crate::policy::Policy;
use crate::scenario::Size;

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) seed: u64,
    pub(crate) size: Size,
    /// Only scenarios whose name begins like this.
    pub(crate) only: String,
    /// Whether to print how the router's gates moved.
    pub(crate) states: bool,
    pub(crate) write: bool,
    pub(crate) policies: &'static [Policy],
}

impl Options {
    /// Reads the arguments; the error names the one that is wrong.
    pub(crate) fn read(args: &[String]) -> Result<Self, String> {
        let mut options = Self {
            seed: 1,
            size: Size::FULL,
            only: String::new(),
            states: false,
            write: false,
            policies: &Policy::ALL,
        };
        let mut quick = false;
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("`{arg}` needs a value"));
            match arg.as_str() {
                "--seed" => {
                    let text = value()?;
                    options.seed = text
                        .parse()
                        .map_err(|_| format!("`{text}` is not a seed: a whole number is"))?;
                }
                "--only" => options.only.clone_from(value()?),
                "--quick" => quick = true,
                "--states" => options.states = true,
                "--write" => options.write = true,
                "--ours" => options.policies = &[Policy::Router],
                _ => {
                    return Err(format!(
                        "unknown argument `{arg}`; known are --seed N, --quick, --only NAME, --ours, --states, --write"
                    ));
                }
            }
        }
        let part = quick || !options.only.is_empty() || options.policies.len() == 1;
        if options.write && part {
            return Err("`--write` wants all scenarios and policies at full size".to_owned());
        }
        if quick {
            options.size = Size::QUICK;
        }
        Ok(options)
    }
}
