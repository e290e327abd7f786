//! Stable names of parts.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// A node's name, unique in a blueprint, such as `msee-1@washington-dc`.
    NodeName
);
name!(
    /// A link's name, unique in a blueprint, such as `washington-dc/primary`.
    LinkName
);
name!(
    /// A port's name, unique on its node.
    PortName
);
name!(
    /// A (sub-)interface's name, unique on its router.
    InterfaceName
);
name!(
    /// A cross-connect's name, unique on its switch.
    CrossConnectName
);
name!(
    /// A routing table's name, unique on its router.
    VrfName
);
