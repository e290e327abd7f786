//! What a client wishes: a document with its placeholders, and the checks every kind needs.

use std::collections::BTreeSet;

use ipnet::{IpNet, Ipv4Net};
use serde_json::Value as Json;
use skybridge_estate::{Estate, Phase, Refusal, Resource, ResourceId, at_pointer};

use crate::kinds;

/// A request being judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// The estate.
    pub(crate) estate: &'a Estate,
    /// The resource that is to be changed; `None` for a new one.
    pub(crate) existing: Option<&'a Resource>,
    /// What it is (to be) nested in.
    pub(crate) parent: Option<&'a Resource>,
    /// The whole document.
    pub(crate) doc: &'a Json,
    /// Pointers that hold placeholders.
    pub(crate) unknown: &'a BTreeSet<String>,
}

/// A refusal for a bad value.
pub(crate) fn invalid(rule: &'static str, pointer: &str, message: String) -> Refusal {
    Refusal {
        code: "InvalidParameter",
        status: 400,
        message,
        pointer: Some(pointer.to_owned()),
        rule: Some(rule),
        retryable: false,
    }
}

/// A refusal because a limit of the service is reached.
pub(crate) fn limit(rule: &'static str, pointer: &str, message: String) -> Refusal {
    Refusal {
        code: "LimitExceeded",
        ..invalid(rule, pointer, message)
    }
}

/// A refusal because of the state of other things.
pub(crate) fn conflict(rule: Option<&'static str>, message: String) -> Refusal {
    Refusal {
        code: "Conflict",
        status: 409,
        message,
        pointer: None,
        rule,
        retryable: false,
    }
}

/// A refusal because something is being worked on; the same request may pass later.
pub(crate) fn busy(message: String) -> Refusal {
    Refusal {
        code: "IncorrectState",
        retryable: true,
        ..conflict(None, message)
    }
}

/// OCI's answer for what does not exist or may not be seen.
pub(crate) fn not_found(pointer: Option<&str>, what: &str) -> Refusal {
    Refusal {
        code: "NotAuthorizedOrNotFound",
        status: 404,
        message: format!("Authorization failed or requested resource not found: {what}"),
        pointer: pointer.map(str::to_owned),
        rule: None,
        retryable: false,
    }
}

/// What this program does not do, said by name.
pub(crate) fn not_implemented(message: String) -> Refusal {
    Refusal {
        code: "NotImplemented",
        status: 501,
        message,
        pointer: None,
        rule: None,
        retryable: false,
    }
}

/// True when `pointer`, something above it or something below it holds a placeholder.
pub(crate) fn touches(unknown: &BTreeSet<String>, pointer: &str) -> bool {
    let below = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    unknown
        .iter()
        .any(|u| below(u, pointer) || below(pointer, u))
}

impl<'a> Wish<'a> {
    /// True when nobody knows what stands at `pointer`.
    pub(crate) fn is_unknown(&self, pointer: &str) -> bool {
        touches(self.unknown, pointer)
    }

    /// A value at a pointer; `null` counts as absent.
    pub(crate) fn value(&self, pointer: &str) -> Option<&'a Json> {
        at_pointer(self.doc, pointer).filter(|v| !v.is_null())
    }

    /// A text at a pointer; `None` when absent.
    pub(crate) fn text(&self, pointer: &str) -> Option<&'a str> {
        self.value(pointer).and_then(Json::as_str)
    }

    /// A boolean at a pointer.
    pub(crate) fn flag(&self, pointer: &str) -> Option<bool> {
        self.value(pointer).and_then(Json::as_bool)
    }

    /// The elements of an array at a pointer.
    pub(crate) fn items(&self, pointer: &str) -> &'a [Json] {
        self.value(pointer)
            .and_then(Json::as_array)
            .map_or(&[], Vec::as_slice)
    }

    /// A text that must be there, unless it is a placeholder.
    pub(crate) fn required(&self, pointer: &str) -> Result<(), Refusal> {
        if self.value(pointer).is_some() || self.is_unknown(pointer) {
            return Ok(());
        }
        Err(Refusal {
            code: "MissingParameter",
            status: 400,
            message: format!("{} is required", pointer.trim_start_matches('/')),
            pointer: Some(pointer.to_owned()),
            rule: None,
            retryable: false,
        })
    }

    /// A CIDR block with no host bits; `None` when absent or a placeholder.
    pub(crate) fn cidr(&self, pointer: &str) -> Result<Option<IpNet>, Refusal> {
        let Some(text) = self.text(pointer).filter(|_| !self.is_unknown(pointer)) else {
            return Ok(None);
        };
        let net: IpNet = text.parse().map_err(|_| {
            invalid(
                "oci.cidr",
                pointer,
                format!("\"{text}\" is not a CIDR block"),
            )
        })?;
        if net.trunc() != net {
            let want = net.trunc();
            let message = format!("\"{text}\" has host bits set; the network is {want}");
            return Err(invalid("oci.cidr", pointer, message));
        }
        Ok(Some(net))
    }

    /// An IPv4 CIDR block with no host bits.
    pub(crate) fn cidr_v4(&self, pointer: &str) -> Result<Option<Ipv4Net>, Refusal> {
        match self.cidr(pointer)? {
            Some(IpNet::V4(net)) => Ok(Some(net)),
            Some(IpNet::V6(net)) => {
                let message = format!("{net} is not an IPv4 CIDR block");
                Err(invalid("oci.cidr", pointer, message))
            }
            None => Ok(None),
        }
    }

    /// The resource that the text at `pointer` names; `None` when absent or a placeholder.
    pub(crate) fn reference(
        &self,
        pointer: &str,
        kind: &str,
    ) -> Result<Option<&'a Resource>, Refusal> {
        let Some(text) = self.text(pointer).filter(|_| !self.is_unknown(pointer)) else {
            return Ok(None);
        };
        let found = usable(self.estate, text, Some(pointer))?;
        if found.kind.as_str() != kind {
            let noun = kinds::spec(kind).map_or(kind, |s| s.noun);
            let message = format!("{text} is not the OCID of a {noun}");
            return Err(invalid("oci.reference-kind", pointer, message));
        }
        Ok(Some(found))
    }

    /// The same, and it must be nested in `parent`.
    pub(crate) fn sibling(
        &self,
        pointer: &str,
        kind: &str,
    ) -> Result<Option<&'a Resource>, Refusal> {
        let found = self.reference(pointer, kind)?;
        if let (Some(found), Some(parent)) = (found, self.parent)
            && found.parent.as_ref() != Some(&parent.id)
        {
            let message = format!("{} does not belong to {}", found.label(), parent.label());
            return Err(invalid("oci.reference-other-parent", pointer, message));
        }
        Ok(found)
    }
}

/// A resource that others may use.
///
/// # Errors
/// 404 when it is not there or on its way out, a retryable 409 while it is being created.
pub(crate) fn usable<'a>(
    estate: &'a Estate,
    id: &str,
    pointer: Option<&str>,
) -> Result<&'a Resource, Refusal> {
    let found = estate
        .resource(&ResourceId::from(id))
        .ok_or_else(|| not_found(pointer, id))?;
    match found.phase {
        Phase::Ready | Phase::Updating => Ok(found),
        Phase::Creating => Err(busy(format!("{} is still being created", found.label()))),
        Phase::Deleting | Phase::Failed => Err(not_found(pointer, id)),
    }
}
