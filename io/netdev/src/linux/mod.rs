//! Linux's side.

mod enter;
mod namespace;
mod netlink;
mod packet;
mod port;
mod tap;
mod user;

pub use enter::{enter, show_hosts};
pub use namespace::{Namespace, set_up, set_up_without_address};
pub use port::Port;
pub use tap::Tap;
pub use user::{enter_own_user_namespace, may_make_namespaces};
