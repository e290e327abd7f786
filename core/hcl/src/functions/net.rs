//! IP network functions. IPv4 octets with leading zeros are refused, as everywhere here.

use std::net::IpAddr;

use bigdecimal::ToPrimitive;
use bigdecimal::num_bigint::BigInt;
use ipnet::IpNet;

use super::{Call, CallError, Function, P, Result, boolean, pure, string, strings};
use crate::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    // OpenTofu has it, Terraform has not.
    pure("cidrcontains", &[P::Str, P::Str], boolean, contains),
    pure("cidrhost", &[P::Str, P::Num], string, cidrhost),
    pure("cidrnetmask", &[P::Str], string, |c| match prefix(c)? {
        IpNet::V4(net) => Ok(Value::string(net.netmask().to_string())),
        IpNet::V6(_) => Err(CallError::about(0, "IPv6 addresses cannot have a netmask")),
    }),
    pure("cidrsubnet", &[P::Str, P::Num, P::Num], string, |c| {
        let net = subnet(&prefix(c)?, c.int(1)?, &whole(c, 2)?)?;
        Ok(Value::string(net.to_string()))
    }),
    pure("cidrsubnets", &[P::Str], strings, cidrsubnets).rest(P::Num),
];

/// Whether an address or all of a prefix lies in a prefix.
fn contains(c: &Call<'_>) -> Result {
    let net = prefix(c)?;
    let text = c.str(1);
    let inner: Option<IpNet> =
        (text.parse().ok()).or_else(|| Some(text.parse::<IpAddr>().ok()?.into()));
    let inner = inner.ok_or_else(|| {
        let message = format!("\"{text}\" is neither an address nor an address prefix");
        CallError::about(1, message)
    })?;
    let same_family = net.max_prefix_len() == inner.max_prefix_len();
    if !same_family {
        return Err("an IPv4 and an IPv6 address cannot be compared".into());
    }
    Ok(Value::bool(net.contains(&inner.trunc())))
}

fn prefix(c: &Call<'_>) -> Result<IpNet> {
    let text = c.str(0);
    let net: IpNet = text.parse().map_err(|_| {
        CallError::about(
            0,
            format!("\"{text}\" is not an address prefix in CIDR notation"),
        )
    })?;
    // Terraform masks host bits off.
    Ok(net.trunc())
}

fn whole(c: &Call<'_>, index: usize) -> Result<BigInt> {
    let number = c.args.get(index).and_then(Value::as_number);
    number
        .and_then(super::numeric::integer)
        .ok_or_else(|| CallError::arg(index, "a whole number is required"))
}

fn bits(net: &IpNet) -> (u128, u32) {
    match net {
        IpNet::V4(net) => (u128::from(u32::from(net.network())), 32),
        IpNet::V6(net) => (u128::from(net.network()), 128),
    }
}

fn address(value: u128, width: u32) -> IpAddr {
    if width == 32 {
        IpAddr::from(u32::try_from(value).unwrap_or(u32::MAX).to_be_bytes())
    } else {
        IpAddr::from(value.to_be_bytes())
    }
}

/// How many addresses share the first `length` bits, as an exponent of two.
fn size(exponent: u32) -> BigInt {
    BigInt::from(1) << exponent
}

fn cidrhost(c: &Call<'_>) -> Result {
    let net = prefix(c)?;
    let (base, width) = bits(&net);
    let host_bits = width - u32::from(net.prefix_len());
    let mut host = whole(c, 1)?;
    let hosts = size(host_bits);
    if host < BigInt::from(0) {
        host += &hosts;
    }
    if host < BigInt::from(0) || host >= hosts {
        let message = format!(
            "prefix of {} does not accommodate a host numbered {}",
            net.prefix_len(),
            c.args[1]
                .as_number()
                .map_or_else(String::new, crate::value::number_to_string)
        );
        return Err(CallError::about(1, message));
    }
    let host = host
        .to_u128()
        .ok_or_else(|| CallError::about(1, "the host number is too large"))?;
    Ok(Value::string(address(base | host, width).to_string()))
}

/// The subnet of a number, `newbits` longer than the prefix.
fn subnet(net: &IpNet, newbits: i64, number: &BigInt) -> Result<IpNet> {
    let (base, width) = bits(net);
    let room = width - u32::from(net.prefix_len());
    let newbits = u32::try_from(newbits).ok().filter(|n| *n <= room).ok_or_else(|| {
        let message = format!("not enough bits: the prefix {net} can be extended by 0 to {room} bits, not by {newbits}");
        CallError::about(1, message)
    })?;
    if *number < BigInt::from(0) || *number >= size(newbits) {
        let message = format!(
            "prefix extension of {newbits} does not accommodate a subnet numbered {number}"
        );
        return Err(CallError::about(2, message));
    }
    let number = number
        .to_u128()
        .ok_or_else(|| CallError::about(2, "the number is too large"))?;
    let shift = room - newbits;
    let offset = number.checked_shl(shift).unwrap_or(0);
    let length = u8::try_from(u32::from(net.prefix_len()) + newbits).unwrap_or(128);
    IpNet::new(address(base | offset, width), length).map_err(|e| CallError::from(e.to_string()))
}

/// Consecutive subnets of given lengths, each aligned to its own size.
fn cidrsubnets(c: &Call<'_>) -> Result {
    let net = prefix(c)?;
    let room = bits(&net).1 - u32::from(net.prefix_len());
    let mut next = BigInt::from(0);
    let mut out = Vec::new();
    for index in 1..c.len() {
        let newbits = c.int(index)?;
        let extend = u32::try_from(newbits)
            .ok()
            .filter(|n| *n <= room && *n > 0)
            .ok_or_else(|| {
                CallError::about(index, format!("must extend the prefix by 1 to {room} bits"))
            })?;
        let step = size(room - extend);
        // Round up to a multiple of this subnet's size.
        let number = (&next + &step - 1) / &step;
        if number >= size(extend) {
            let message = format!(
                "not enough remaining address space for a subnet with a prefix of {} bits after the ones before it",
                u32::from(net.prefix_len()) + extend
            );
            return Err(CallError::about(index, message));
        }
        out.push(subnet(&net, newbits, &number)?.to_string());
        next = (number + 1) * step;
    }
    Ok(Value::strings(out))
}
