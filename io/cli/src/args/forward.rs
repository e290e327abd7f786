//! Arguments of `forward` and `socks`.

use clap::Args;
use skybridge_lab::request::{ForwardOrder, ForwardTo, Request};

/// Arguments of `forward`.
#[derive(Debug, Args)]
pub(crate) struct ForwardArgs {
    /// Where clients are led: a host and its TCP port, such as `db:5432`.
    #[arg(value_name = "HOST:PORT", required_unless_present = "remove")]
    target: Option<String>,
    /// The host whose connections they become; one of another network without.
    #[arg(long, value_name = "HOST")]
    from: Option<String>,
    /// Where it listens; a port alone is one on 127.0.0.1, and 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0")]
    listen: String,
    /// How it stays, and who may come.
    #[command(flatten)]
    keep: KeepArgs,
    /// Take a forward that was detached away, by name or by where it listens.
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = ["target", "from", "listen", "detach", "anywhere"]
    )]
    remove: Option<String>,
}

/// Arguments of `socks`.
#[derive(Debug, Args)]
pub(crate) struct SocksArgs {
    /// The host whose connections they become.
    #[arg(long, value_name = "HOST")]
    from: String,
    /// Where it listens; a port alone is one on 127.0.0.1, and 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:1080")]
    listen: String,
    /// How it stays, and who may come.
    #[command(flatten)]
    keep: KeepArgs,
}

/// How a listener stays, and who may come.
#[derive(Debug, Args)]
struct KeepArgs {
    /// Leave it to the lab; `show forwards` lists it, `forward --remove` ends it.
    #[arg(long)]
    detach: bool,
    /// Listen on an address that is not loopback: whoever reaches it reaches the network.
    #[arg(long)]
    anywhere: bool,
}

impl TryFrom<ForwardArgs> for ForwardOrder {
    type Error = String;

    fn try_from(args: ForwardArgs) -> Result<Self, String> {
        if let Some(name) = args.remove {
            return Ok(Self::Remove { name });
        }
        let target = args.target.unwrap_or_default();
        let wrong = || format!("`{target}` is not HOST:PORT, such as db:5432");
        let (host, port) = target.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port > 0);
        let to = ForwardTo::Port {
            host: Some(host)
                .filter(|host| !host.is_empty())
                .ok_or_else(wrong)?
                .to_owned(),
            port: port.ok_or_else(wrong)?,
        };
        Ok(Self::Open {
            listen: args.listen,
            from: args.from,
            to,
            detached: args.keep.detach,
            anywhere: args.keep.anywhere,
        })
    }
}

impl From<SocksArgs> for ForwardOrder {
    fn from(args: SocksArgs) -> Self {
        Self::Open {
            listen: args.listen,
            from: Some(args.from),
            to: ForwardTo::Socks,
            detached: args.keep.detach,
            anywhere: args.keep.anywhere,
        }
    }
}

/// The order as a request, and whether it stays as long as its asker.
pub(crate) fn request(order: ForwardOrder) -> (Request, bool) {
    let stays = matches!(
        &order,
        ForwardOrder::Open {
            detached: false,
            ..
        }
    );
    (Request::Forward(order), stays)
}
