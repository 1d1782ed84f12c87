//! Whether a tool is demanded.

use crate::chat::{Request, Tool, ToolChoice};
use crate::claude;

/// Whether a tool is demanded, and may be of the model.
#[derive(Clone, Copy)]
pub(crate) enum Demand<'a> {
    None,
    Made,
    /// The model refuses a demand: it is asked instead, which is likely and not certain to work.
    Asked(Option<&'a str>),
}

impl<'a> Demand<'a> {
    pub(crate) fn of(request: &'a Request, model: &str) -> Self {
        let named = match &request.tool_choice {
            _ if request.tools.is_empty() => return Self::None,
            Some(ToolChoice::Required) => None,
            Some(ToolChoice::Tool(name)) => Some(name.as_str()),
            Some(ToolChoice::Auto | ToolChoice::None) | None => return Self::None,
        };
        if claude::takes_demands(model) {
            Self::Made
        } else {
            Self::Asked(named)
        }
    }

    /// The words of asking.
    pub(crate) fn wish(self) -> Option<String> {
        match self {
            Self::None | Self::Made => None,
            Self::Asked(None) => {
                Some("Call at least one of the tools before you answer.".to_owned())
            }
            Self::Asked(Some(name)) => Some(format!("Call the tool `{name}` before you answer.")),
        }
    }

    /// The only tool that is asked for is the only one that is offered.
    pub(crate) fn allows(self, tool: &Tool) -> bool {
        match self {
            Self::Asked(Some(name)) => tool.name == name,
            _ => true,
        }
    }
}
