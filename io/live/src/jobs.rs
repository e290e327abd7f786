//! Simulations run one after another on a thread of their own, so that they never delay the world.

use std::io;
use std::sync::mpsc::{self, Sender};
use std::thread;

use skybridge_lab::SimulationJob;

use crate::driver::{Inbound, Inbox};

/// The queue of simulations. The thread starts with the first and ends with the driver.
#[derive(Debug)]
pub(crate) struct Jobs {
    inbox: Inbox,
    queue: Option<Sender<Box<SimulationJob>>>,
}

impl Jobs {
    pub(crate) const fn new(inbox: Inbox) -> Self {
        Self { inbox, queue: None }
    }

    /// Queues a job; its result comes in as [`Inbound::Simulated`].
    pub(crate) fn run(&mut self, job: Box<SimulationJob>) -> io::Result<()> {
        let queue = match &self.queue {
            Some(queue) => queue,
            None => self.queue.insert(start(self.inbox.clone())?),
        };
        queue
            .send(job)
            .map_err(|_| io::Error::other("the simulation thread has ended"))
    }
}

fn start(inbox: Inbox) -> io::Result<Sender<Box<SimulationJob>>> {
    let (queue, jobs) = mpsc::channel::<Box<SimulationJob>>();
    thread::Builder::new()
        .name("simulate".to_owned())
        .spawn(move || {
            for job in jobs {
                let result = job.run();
                if inbox.send(Inbound::Simulated(result)).is_err() {
                    break;
                }
            }
        })?;
    Ok(queue)
}
