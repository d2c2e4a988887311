//! Now and then somebody looks whether a wake-up got lost: one that did costs some seconds then, and is no hang.

use mobula_sync::atomic::Ordering;

use crate::runtime::Runtime;

impl Runtime {
    /// Ends waits that can never end (`circle`). Rings for whatever lay there when this was called last, and for all workers if something could begin then, and still can. Who
    /// only has other things to do finds out when it has done them. To be called every second or two.
    pub fn tend_wakes(&self) {
        self.break_circles();
        let mailboxes = self.mailboxes();
        for mailbox in &mailboxes {
            mailbox.ring_for_old_mail();
        }
        let lies_idle = !self.is_stopped() && self.room() > 0;
        if lies_idle && self.lay_idle.load(Ordering::Relaxed) {
            for mailbox in &mailboxes {
                mailbox.ring();
            }
            self.ask_for_workers();
        }
        self.lay_idle.store(lies_idle, Ordering::Relaxed);
    }
}
