//! A peer's state beside its session machine: connections' buffers, counters, export marks.

use std::net::Ipv4Addr;

use skybridge_base::{Instant, Rng};

use super::config::{PeerConfig, TableId};
use super::export::ExportState;
use super::observe::Counters;
use crate::attr::DecodeContext;
use crate::fsm::{ConnId, PeerFsm, Settings, Slot, StateKind};
use crate::message::{Framer, Message, Notification};
use crate::rib::Table;
use crate::types::{Families, Family};

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    pub(super) settings: Settings,
    pub(super) rng: Rng,
    pub(super) fsm: PeerFsm,
    /// The connection of the Established session.
    pub(super) up: Option<ConnId>,
    /// When `up` last changed.
    pub(super) since: Instant,
    /// Connections with what was received on them; two at most.
    framers: Vec<(ConnId, Framer)>,
    /// Whole messages wait in a framer.
    pub(super) backlog: bool,
    /// The transport takes no more.
    pub(super) blocked: bool,
    pub(super) export: ExportState,
    pub(super) counters: Counters,
    pub(super) last_sent: Option<Notification>,
    pub(super) last_received: Option<Notification>,
}

impl Peer {
    pub(super) fn new(config: PeerConfig, settings: Settings, rng: Rng) -> Self {
        Self {
            config,
            settings,
            rng,
            fsm: PeerFsm::default(),
            up: None,
            since: Instant::ZERO,
            framers: Vec::new(),
            backlog: false,
            blocked: false,
            export: ExportState::default(),
            counters: Counters::default(),
            last_sent: None,
            last_received: None,
        }
    }

    pub(super) fn is_external(&self) -> bool {
        self.settings.remote_asn != self.settings.local_asn
    }

    pub(super) fn remote_router_id(&self) -> Ipv4Addr {
        self.fsm
            .established()
            .map_or(Ipv4Addr::UNSPECIFIED, |(_, n)| n.remote_router_id)
    }

    pub(super) fn families(&self) -> Families {
        self.fsm
            .established()
            .map_or_else(Families::default, |(_, n)| n.families)
    }

    pub(super) fn remember(&mut self, conn: ConnId) {
        self.framers.push((conn, Framer::default()));
    }

    pub(super) fn forget(&mut self, conn: ConnId) {
        self.framers.retain(|(c, _)| *c != conn);
    }

    pub(super) fn push(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some((_, framer)) = self.framers.iter_mut().find(|(c, _)| *c == conn) {
            framer.push(bytes);
        }
    }

    pub(super) fn conn_ids(&self) -> Vec<ConnId> {
        self.framers.iter().map(|(c, _)| *c).collect()
    }

    pub(super) fn is_ready(&self, conn: ConnId) -> bool {
        self.framers.iter().any(|(c, f)| *c == conn && f.is_ready())
    }

    pub(super) fn has_backlog(&self) -> bool {
        self.framers.iter().any(|(_, f)| f.is_ready())
    }

    /// Decodes the next whole message of a connection.
    pub(super) fn next_message(
        &mut self,
        conn: ConnId,
        slot: Slot,
    ) -> Result<Option<Message>, Notification> {
        let context = DecodeContext {
            four_octet_as: self
                .fsm
                .session(slot)
                .and_then(|s| s.negotiated())
                .is_none_or(|n| n.four_octet_as),
            external: self.is_external(),
        };
        let Some((_, framer)) = self.framers.iter_mut().find(|(c, _)| *c == conn) else {
            return Ok(None);
        };
        let Some(frame) = framer.next_frame()? else {
            return Ok(None);
        };
        let message = Message::decode(frame, &context)?;
        self.counters.received(&message);
        Ok(Some(message))
    }

    pub(super) fn has_work(&self) -> bool {
        self.backlog || (self.up.is_some() && !self.blocked && self.export.has_work())
    }

    /// A new session: everything of the table is to be sent, then End-of-RIB for each family.
    pub(super) fn on_established(&mut self, tables: &[Table]) {
        self.blocked = false;
        let families = self.families();
        self.export.end_of_rib = families;
        if let Some(export) = &self.config.export {
            let table = &tables[usize::from(export.table.0)];
            self.export.mark_all(table, |_| true);
        }
    }

    /// Everything of one family is to be sent again.
    pub(super) fn resend(&mut self, family: Family, tables: &[Table]) {
        if !self.families().contains(family) {
            return;
        }
        match family {
            Family::V4 => self.export.end_of_rib.v4 = true,
            Family::V6 => self.export.end_of_rib.v6 = true,
        }
        if let Some(export) = &self.config.export {
            let table = &tables[usize::from(export.table.0)];
            self.export
                .mark_all(table, |net| Family::of(&table.net(net)) == family);
        }
    }

    pub(super) fn on_best_changed(&mut self, table: TableId, net: u32) {
        let exports = |e: &super::config::Export| e.table == table;
        if self.up.is_some() && self.config.export.as_ref().is_some_and(exports) {
            self.export.pending.set(net);
        }
    }

    pub(super) fn state(&self) -> StateKind {
        self.fsm.state()
    }
}
