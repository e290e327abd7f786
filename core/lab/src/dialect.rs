//! Which cloud's dialect a Terraform type belongs to, and one face for all of them.

use skybridge_azure::terraform as azure;
use skybridge_estate::{Command, Estate};
use skybridge_hcl::{Diagnostic, Value};
use skybridge_oci::terraform as oci;
use skybridge_terraform::{Address, Mode, Target};

/// What a resource of a stack means for the estate.
#[derive(Debug)]
pub(crate) enum Mapped {
    /// Commands, one after the other.
    Commands(Vec<Command>),
    /// It is only noted (a resource group's tags, say).
    Recorded,
    /// It is not modelled: why.
    NotModelled(String),
}

/// How far the cloud is with a resource.
#[derive(Debug)]
pub(crate) enum Settled {
    Pending,
    Ready,
    Failed(String),
}

/// A cloud's dialect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Dialect {
    Azure,
    Oci,
}

impl From<azure::Mapped> for Mapped {
    fn from(mapped: azure::Mapped) -> Self {
        match mapped {
            azure::Mapped::Commands(commands) => Self::Commands(commands),
            azure::Mapped::Recorded => Self::Recorded,
            azure::Mapped::NotModelled(why) => Self::NotModelled(why),
        }
    }
}

impl From<oci::Mapped> for Mapped {
    fn from(mapped: oci::Mapped) -> Self {
        match mapped {
            oci::Mapped::Commands(commands) => Self::Commands(commands),
            oci::Mapped::Recorded => Self::Recorded,
            oci::Mapped::NotModelled(why) => Self::NotModelled(why),
        }
    }
}

impl Dialect {
    /// The dialect that maps an instance, if any does.
    pub(crate) fn of(address: &Address) -> Option<Self> {
        let ty = address.ty.as_str();
        let is_data = address.mode == Mode::Data;
        if azure::is_modelled(ty) || (is_data && azure::owns(ty)) {
            Some(Self::Azure)
        } else if oci::is_modelled(ty) || (is_data && oci::owns(ty)) {
            Some(Self::Oci)
        } else {
            None
        }
    }

    pub(crate) fn create(
        self,
        estate: &Estate,
        target: &Target,
        config: &Value,
    ) -> Result<Mapped, Vec<Diagnostic>> {
        let address = target.address.to_string();
        let ty = target.address.ty.as_str();
        match self {
            Self::Azure => {
                azure::create(estate, &address, ty, config, &target.spans).map(Into::into)
            }
            Self::Oci => oci::create(
                estate,
                &address,
                ty,
                config,
                &target.spans,
                &oci_context(target),
            )
            .map(Into::into),
        }
    }

    pub(crate) fn update(
        self,
        estate: &Estate,
        target: &Target,
        before: &Value,
        after: &Value,
    ) -> Result<Mapped, Vec<Diagnostic>> {
        let address = target.address.to_string();
        let ty = target.address.ty.as_str();
        match self {
            Self::Azure => {
                azure::update(estate, &address, ty, before, after, &target.spans).map(Into::into)
            }
            Self::Oci => oci::update(
                estate,
                &address,
                ty,
                before,
                after,
                &target.spans,
                &oci_context(target),
            )
            .map(Into::into),
        }
    }

    pub(crate) fn delete(self, estate: &Estate, ty: &str, attributes: &Value) -> Vec<Command> {
        match self {
            Self::Azure => azure::delete(estate, ty, attributes),
            Self::Oci => oci::delete(estate, ty, attributes),
        }
    }

    pub(crate) fn settled(self, estate: &Estate, ty: &str, attributes: &Value) -> Settled {
        match self {
            Self::Azure => match azure::settled(estate, ty, attributes) {
                azure::Settled::Pending => Settled::Pending,
                azure::Settled::Ready => Settled::Ready,
                azure::Settled::Failed(why) => Settled::Failed(why),
            },
            Self::Oci => match oci::settled(estate, ty, attributes) {
                oci::Settled::Pending => Settled::Pending,
                oci::Settled::Ready => Settled::Ready,
                oci::Settled::Failed(why) => Settled::Failed(why),
            },
        }
    }

    pub(crate) fn attributes(
        self,
        estate: &Estate,
        stack: &str,
        target: &Target,
        config: &Value,
    ) -> Value {
        let ty = target.address.ty.as_str();
        match self {
            Self::Azure => azure::attributes(estate, ty, config),
            Self::Oci => {
                let address = target.address.to_string();
                match oci::id_of(estate, stack, &address, ty, config) {
                    Some(id) => oci::attributes(estate, ty, config, &id),
                    None => config.clone(),
                }
            }
        }
    }

    pub(crate) fn read(
        self,
        estate: &Estate,
        target: &Target,
        config: &Value,
    ) -> Result<Value, Box<Diagnostic>> {
        let ty = target.address.ty.as_str();
        match self {
            Self::Azure => azure::read(estate, ty, config).map_err(Box::new),
            Self::Oci => oci::read(estate, ty, config, &oci_context(target)).map_err(Box::new),
        }
    }
}

/// The name by which a cloud knows what an instance makes, whichever stack makes it. OCI gives a name of its
/// own to each: two stacks never mean the same object.
pub(crate) fn identity(ty: &str, attributes: &Value) -> Option<String> {
    azure::identity(ty, attributes)
}

/// The object that is there already and that an instance of OCI manages.
pub(crate) fn managed(ty: &str, attributes: &Value) -> Option<String> {
    oci::managed(ty, attributes)
}

/// The same, good within one stack only.
pub(crate) fn identity_here(ty: &str, attributes: &Value) -> Option<String> {
    azure::identity_here(ty, attributes)
}

fn oci_context(target: &Target) -> oci::ProviderContext {
    oci::ProviderContext::from_config(&target.provider_config)
}
