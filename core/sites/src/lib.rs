//! The lab file: what a network lab needs and Terraform cannot say.
//!
//! [`read()`] reads the `*.sky.hcl` files of a directory: services, forwarded ports, expectations, probe hosts, limits and
//! link delays (design §3). They are HCL with the same names and values as the Terraform configuration
//! beside them. Every error is collected, each with file, line and column.
//!
//! `site` blocks with their `network` and `router` blocks, and `carrier` blocks, are the other half of a network:
//! what stands on premises and what leads there. Carriers that are not of model `l2` are refused by name.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod appliances;
mod arguments;
mod blocks;
mod limits;
mod model;
mod premises;
mod read;
mod site;
mod units;

pub use limits::limit_names;
pub use model::{
    Appliance, Element, Endpoint, Expectation, Forward, LabFile, LabHost, LinkSettings, LinkTarget,
    Path, Protocol, Service, Target, Within,
};
pub use premises::{
    Attach, Bfd, Carrier, HandOff, HostPlace, Network, Persona, PortMode, Router, Site,
};
pub use read::read;
pub use units::{parse_duration, parse_loss_ppm, parse_rate_bps};
