//! Why packets are dropped.

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// Why a packet was dropped. Every drop has one, and a counter.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            /// Every reason, in the order of [`DropReason::index`].
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// A few words for people.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

reasons! {
    /// Not a well-formed frame or packet.
    Malformed => "malformed",
    /// Frame for another station.
    NotForUs => "not for this station",
    /// No interface has these tags.
    UnknownTags => "unknown VLAN tags",
    /// The port's link is down.
    LinkDown => "link down",
    /// No route.
    NoRoute => "no route",
    /// Next hop "None" of a cloud's table.
    RouteNone => "route to next hop None",
    /// Towards the internet, which is not modelled.
    RouteInternet => "route to the internet",
    /// Towards the cloud's own services, which are no hosts of the network.
    RouteServices => "route to the cloud's services",
    /// Towards something not modelled.
    RouteNotModelled => "route to a target that is not modelled",
    /// The route's target cannot take traffic.
    RouteDeadTarget => "route to a dead target",
    /// The route leads to an interface card that does not forward for others.
    RouteNotForwarding => "the route leads to an interface on which IP forwarding is off",
    /// TTL or hop limit reached zero.
    TtlExpired => "TTL expired",
    /// Larger than the next link's MTU, and must not or cannot be fragmented.
    TooBig => "too big",
    /// No answer to ARP or neighbour discovery.
    NeighbourUnresolved => "neighbour does not answer",
    /// The neighbour queue was full.
    NeighbourQueueFull => "neighbour queue full",
    /// A rule denies it, or no rule allows it.
    FilterDenied => "denied by filter",
    /// A firewall has not seen the connection open that it belongs to.
    OutOfState => "belongs to no connection that the firewall has seen open",
    /// A policer's bucket was empty.
    Policed => "policed",
    /// Between two zones that exchange no traffic.
    ForbiddenTransit => "forbidden transit",
    /// The source address is not one that the interface card may use.
    SourceCheck => "source check",
    /// A flow table was full.
    FlowTableFull => "flow table full",
    /// Protocol or port on which nothing listens.
    NoListener => "no listener",
    /// Looped between the tables of one router.
    TableLoop => "loop between tables",
    /// TCP MD5 signature missing or wrong.
    Md5 => "TCP MD5 signature",
    /// A carrier lost it and tells nobody.
    CarrierLoss => "lost inside the carrier",
}

impl DropReason {
    /// Its place in [`DropReason::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_the_place_in_all() {
        for (at, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), at);
        }
    }
}
