//! Reads what a target in a cloud needs beside a key: where it is, and who asks.

use super::reader::{Entries, Reader};
use super::secret::{Source, World};
use super::target::source_of;
use crate::engine::{GoogleCredential, Provider};
use secrecy::{ExposeSecret as _, SecretString};
use std::fmt;

/// Where in a cloud a target is, and who asks. Its `Debug` output holds no part of any key.
#[derive(Clone, Default)]
pub(crate) struct Cloud {
    /// The region, as the provider names it.
    pub(crate) region: Option<String>,
    /// The project in whose name models on Vertex are called.
    pub(crate) project: Option<String>,
    /// Who asks, where no fixed key says it.
    pub(crate) identity: Option<Identity>,
}

/// Who asks.
#[derive(Clone)]
pub(crate) enum Identity {
    /// The keys of an AWS identity: each request is signed with them.
    Aws {
        access_key_id: SecretString,
        secret_access_key: SecretString,
        session_token: Option<SecretString>,
    },
    /// The file of a Google service account.
    ServiceAccount(SecretString),
    /// The account of the machine in Google's cloud on which the gateway runs.
    Machine,
}

impl Cloud {
    /// What would change if another key took the place of this one.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let secrets = match &self.identity {
            Some(Identity::Aws {
                access_key_id,
                secret_access_key,
                session_token,
            }) => vec![
                Some(access_key_id),
                Some(secret_access_key),
                session_token.as_ref(),
            ],
            Some(Identity::ServiceAccount(file)) => vec![Some(file)],
            Some(Identity::Machine) | None => Vec::new(),
        };
        let secrets = secrets.into_iter().flatten();
        secrets
            .map(|secret| secret.expose_secret().to_owned())
            .collect()
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cloud")
            .field("region", &self.region)
            .field("project", &self.project)
            .finish_non_exhaustive()
    }
}

const AWS_KEYS: [&str; 3] = ["access_key_id", "secret_access_key", "session_token"];

/// Reads the keys of a cloud, and the label of the secret among them.
pub(super) fn read(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    provider: Provider,
    world: &dyn World,
) -> (Cloud, Option<String>) {
    let known: &[&str] = match provider {
        Provider::Bedrock => &[
            "region",
            "access_key_id",
            "secret_access_key",
            "session_token",
        ],
        Provider::Vertex => &["region", "project", "service_account"],
        // Elsewhere it is a label for what fails together.
        _ => &["region"],
    };
    let all = ["region", "project", "service_account"]
        .into_iter()
        .chain(AWS_KEYS);
    for name in all.filter(|name| !known.contains(name)) {
        if let Some(value) = table.get(name) {
            let what = format!("`{provider}` has no use for it");
            let mend = "remove it; it belongs to targets of `bedrock` or `vertex`";
            reader.fault(value.span().start, table.path_of(name), what, mend);
        }
    }
    let mut cloud = Cloud {
        region: name_of(reader, table, "region"),
        project: name_of(reader, table, "project"),
        identity: None,
    };
    let label = match provider {
        Provider::Bedrock => aws(reader, table, world, &mut cloud),
        Provider::Vertex => google(reader, table, world, &mut cloud),
        _ => None,
    };
    (cloud, label)
}

/// The name of a region or a project: it goes into addresses.
fn name_of(reader: &mut Reader<'_>, table: &Entries<'_, '_>, key: &str) -> Option<String> {
    let text = reader.text(table, key)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return Some(text.to_owned());
    }
    let at = table.get(key).map_or(table.at, |value| value.span().start);
    let mend = "use letters, digits and dashes alone, as in \"europe-west4\"";
    reader.fault(at, table.path_of(key), "no such name", mend);
    None
}

fn aws(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    world: &dyn World,
    cloud: &mut Cloud,
) -> Option<String> {
    let [id, secret, token] = AWS_KEYS;
    let signs = AWS_KEYS.into_iter().any(|name| table.get(name).is_some());
    if table.get("region").is_none() && (signs || table.get("base_url").is_none()) {
        reader.missing(table, "region", "\"us-east-1\"");
    }
    if !signs {
        return None;
    }
    if let Some(key) = table.get("api_key") {
        let mend = "keep api_key or the access keys";
        let at = key.span().start;
        reader.fault(at, table.path_of("api_key"), "a key and access keys", mend);
    }
    for name in [id, secret] {
        if table.get(name).is_none() {
            reader.missing(table, name, "{ env = \"AWS_...\" }");
        }
    }
    let mut label = None;
    let mut fetch = |name| {
        let (at, source) = source_of(reader, table, name)?;
        label = Some(source.label());
        match source.fetch(world) {
            Ok(key) => Some(key),
            Err(missing) => {
                reader.fault(at, table.path_of(name), missing.what, missing.mend);
                None
            }
        }
    };
    let session_token = fetch(token);
    let access_key_id = fetch(id);
    let secret_access_key = fetch(secret);
    cloud.identity = access_key_id
        .zip(secret_access_key)
        .map(|(id, secret)| Identity::Aws {
            access_key_id: id,
            secret_access_key: secret,
            session_token,
        });
    label
}

fn google(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    world: &dyn World,
    cloud: &mut Cloud,
) -> Option<String> {
    for (name, example) in [
        ("region", "\"europe-west4\""),
        ("project", "\"my-project\""),
    ] {
        if table.get(name).is_none() {
            reader.missing(table, name, example);
        }
    }
    if table.get("service_account").is_none() {
        let machine = table.get("api_key").is_none();
        cloud.identity = machine.then_some(Identity::Machine);
        return machine.then(|| "machine".to_owned());
    }
    let (at, source) = source_of(reader, table, "service_account")?;
    cloud.identity = service_account(reader, table, at, &source, world);
    Some(source.label())
}

fn service_account(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    at: usize,
    source: &Source,
    world: &dyn World,
) -> Option<Identity> {
    let path = table.path_of("service_account");
    match source.fetch_document(world) {
        Err(missing) => reader.fault(at, path, missing.what, missing.mend),
        Ok(file) => {
            if GoogleCredential::service_account(file.expose_secret().as_bytes()).is_ok() {
                return Some(Identity::ServiceAccount(file));
            }
            let what = "not the JSON file of a service account, or its key is none";
            let mend = "make a key of the type JSON in Google's console and name the file it gives";
            reader.fault(at, path, what, mend);
        }
    }
    None
}
