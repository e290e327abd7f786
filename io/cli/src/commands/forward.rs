//! `forward` and `socks`: a listener that stays as long as the command does, or in the lab.

use std::ops::ControlFlow;

use skybridge_lab::request::{ForwardOrder, Response};
use skybridge_live::{FollowEnd, Place, follow};

use super::{Failure, Window, ask};
use crate::args::forward_request;
use crate::exit;
use crate::render::Sources;

/// Opens it, says where it listens, and waits for Ctrl-C; or orders it and ends.
pub(super) fn forward(order: ForwardOrder, lab: &str, window: &Window) -> Result<u8, Failure> {
    let place = Place::of(lab)?;
    let (request, stays) = forward_request(order);
    if !stays {
        return ask::ask_and_show(&place, request, window);
    }
    let mut code = exit::HOLDS;
    let mut shown = Ok(());
    let end = follow(&place, &request, &mut |response| {
        shown = window.show(&response, &Sources::default());
        if matches!(response, Response::Error(_)) {
            code = exit::BAD_INPUT;
            return ControlFlow::Break(());
        }
        window.remark("It stays until Ctrl-C.");
        ControlFlow::Continue(())
    })?;
    shown?;
    if end == FollowEnd::LabEnded {
        window.remark("The lab has ended.");
    }
    Ok(code)
}
