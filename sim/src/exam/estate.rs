//! A random estate: one or two circuits, virtual networks, VCNs, hosts, rules, names.

use skybridge_base::Rng;

/// Azure region, peering location, OCI region.
pub(super) const PAIRS: [(&str, &str, &str); 3] = [
    ("East US", "Washington DC", "us-ashburn-1"),
    ("UK South", "London", "uk-london-1"),
    ("Germany West Central", "Frankfurt", "eu-frankfurt-1"),
];
const WORDS: [&str; 16] = [
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "harbor", "indigo", "juniper",
    "karst", "lumen", "maple", "nimbus", "onyx", "prairie",
];

/// Where an Azure network security group hangs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Group {
    None,
    Subnet,
    Card,
}

/// How OCI lets traffic in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lists {
    /// Rules in the security list.
    List,
    /// Rules in a network security group.
    Group,
}

/// Things written wrong; each is written right unless a fault is prepared.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Wrong {
    pub(super) nsg_denies: bool,
    pub(super) list_lacks: bool,
    pub(super) return_lacks: bool,
    pub(super) vcn_route_lacks: bool,
    pub(super) route_none: bool,
    pub(super) propagation_off: bool,
    pub(super) import_lacks: bool,
    pub(super) too_many_prefixes: bool,
    pub(super) no_listener: bool,
    pub(super) overlaps: bool,
    /// Percent, and on which legs: primary, secondary.
    pub(super) loss: Option<(u64, [bool; 2])>,
}

/// An estate.
#[derive(Clone, Debug)]
pub(super) struct Estate {
    pub(super) name: String,
    pub(super) pair: (&'static str, &'static str, &'static str),
    pub(super) circuits: usize,
    /// Third octets and the like of ranges; the first is the one asked about.
    pub(super) vnets: Vec<String>,
    pub(super) vcns: Vec<String>,
    pub(super) peerings: Vec<String>,
    pub(super) vcn_subnets: u64,
    pub(super) app_hosts: u64,
    pub(super) bandwidth: u64,
    pub(super) bfd: bool,
    pub(super) group: Group,
    pub(super) lists: Lists,
    pub(super) narrow_egress: bool,
    pub(super) noise_rules: u64,
    /// The Azure host asks; else the OCI host.
    pub(super) towards_oci: bool,
    pub(super) port: u16,
    /// Asked about; echo without.
    pub(super) tcp: Option<u16>,
    pub(super) wrong: Wrong,
}

/// Two different words.
pub(super) fn random_name(rng: &mut Rng) -> String {
    let mut words: Vec<&str> = WORDS.to_vec();
    let mut word = || {
        let at = usize::try_from(rng.below(words.len() as u64)).unwrap_or(0);
        words.remove(at)
    };
    format!("{}-{}", word(), word())
}

impl Estate {
    pub(super) fn random(rng: &mut Rng) -> Self {
        let name = random_name(rng);
        let mut blocks: Vec<u64> = (1..=250).collect();
        let mut block = |rng: &mut Rng| {
            let at = usize::try_from(rng.below(blocks.len() as u64)).unwrap_or(0);
            format!("10.{}", blocks.remove(at))
        };
        let vnets = (0..=rng.below(2)).map(|_| block(rng)).collect();
        let vcns = (0..=rng.below(2)).map(|_| block(rng)).collect();
        let circuits = if rng.below(3) == 0 { 2 } else { 1 };
        let peerings = (0..circuits)
            .map(|_| format!("172.{}.{}", 16 + rng.below(15), rng.below(250)))
            .collect();
        let port = u16::try_from(1024 + rng.below(8000)).unwrap_or(1521);
        Self {
            name,
            pair: *rng.choose(&PAIRS).unwrap_or(&PAIRS[0]),
            circuits,
            vnets,
            vcns,
            peerings,
            vcn_subnets: 1 + rng.below(3),
            app_hosts: 1 + rng.below(2),
            bandwidth: *rng.choose(&[1000, 2000, 5000, 10_000]).unwrap_or(&1000),
            bfd: rng.below(3) > 0,
            group: *rng
                .choose(&[Group::None, Group::Subnet, Group::Card])
                .unwrap_or(&Group::None),
            lists: *rng
                .choose(&[Lists::List, Lists::Group])
                .unwrap_or(&Lists::List),
            narrow_egress: rng.below(2) == 0,
            noise_rules: rng.below(4),
            towards_oci: rng.below(3) > 0,
            port,
            tcp: (rng.below(4) > 0).then_some(port),
            wrong: Wrong::default(),
        }
    }

    /// The Azure host that is asked about.
    pub(super) fn app(&self) -> String {
        format!("{}-app-0-0", self.name)
    }

    /// The OCI host that is asked about.
    pub(super) fn db(&self) -> String {
        format!("{}-db-0", self.name)
    }

    /// Who asks, and for whom.
    pub(super) fn question(&self) -> (String, String) {
        if self.towards_oci {
            (self.app(), self.db())
        } else {
            (self.db(), self.app())
        }
    }

    pub(super) fn circuit(&self, number: usize) -> String {
        format!("{}-er-{number}", self.name)
    }

    /// The range of a VCN; the first may overlap with the first virtual network.
    pub(super) fn vcn_range(&self, number: usize) -> &str {
        if number == 0 && self.wrong.overlaps {
            &self.vnets[0]
        } else {
            &self.vcns[number]
        }
    }
}
