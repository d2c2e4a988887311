//! Tasks as closures, run by threads over ports: the worker's loop of `src/worker`, without Node.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use mobula_runtime::layout::{NO_TIMEOUT, header};
use mobula_runtime::{Forage, Function, Reason, Role, Runtime};
use mobula_sched::Key;

use super::isolate::Isolate;
use super::record::{Outcome, TaskRecord};

/// How a task's code ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Value(Vec<u8>),
    Thrown(Vec<u8>),
    /// The whole thread ends, as by `process.exit`.
    Exit(u32),
}

/// The thread is to end with this code: nothing else may run on it.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u32);

pub(crate) type Body = dyn Fn(&mut Context<'_>, &TaskRecord) -> Result<Ended, Exit> + Send + Sync;

#[derive(Default)]
struct Bodies(Vec<Box<Body>>);

/// What a task's code sees of the thread it runs on.
pub(crate) struct Context<'a> {
    isolate: &'a mut Isolate,
    bodies: &'a Bodies,
    depth: usize,
}

/// A wait inside of a task may run what it waits for, to this depth.
const HELP_DEPTH_MAX: usize = 16;

impl Context<'_> {
    pub(crate) fn submit(&mut self, function: u32, bytes: &[u8], deps: &[Key]) -> Key {
        self.isolate.submit(function, bytes, deps, &[])
    }

    /// Tasks below this one on the same thread, which wait for it.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn release(&mut self, key: Key) {
        self.isolate.release(key);
    }

    /// Values of settled objects, such as a task's dependencies.
    pub(crate) fn fetch(&mut self, keys: &[Key]) -> Vec<Outcome> {
        self.isolate.fetch(keys)
    }

    /// Blocks until all are settled or one has failed. Runs here what nobody has begun, if `helps`.
    pub(crate) fn get(&mut self, keys: &[Key], helps: bool) -> Result<Vec<Outcome>, Exit> {
        if helps && self.depth < HELP_DEPTH_MAX {
            for key in keys {
                if let Some(record) = self.isolate.take(*key) {
                    self.run(&record, self.depth + 1)?;
                    self.isolate.flush();
                }
            }
        }
        let token = self.isolate.get(keys);
        let mut is_given_up = false;
        while !self.isolate.drain().iter().any(|(done, _)| *done == token) {
            if self.isolate.header(header::STOPPED) != 0 {
                return Err(Exit(0));
            }
            if self.isolate.park(NO_TIMEOUT) == Reason::Deadlock as u32 {
                is_given_up = true;
                self.isolate.end_wait(token);
            }
        }
        self.isolate.forget(token);
        while self.isolate.resume() != Reason::Resumed as u32 {
            if self.isolate.port.runtime().is_stopped() {
                return Err(Exit(0));
            }
        }
        assert!(!is_given_up, "every thread waits for another");
        Ok(self.isolate.fetch(keys))
    }

    fn run(&mut self, record: &TaskRecord, depth: usize) -> Result<(), Exit> {
        let body = &self.bodies.0[record.function as usize];
        let mut context = Context {
            isolate: self.isolate,
            bodies: self.bodies,
            depth,
        };
        // A panic is the task's own failure: the thread goes on.
        let ended = catch_unwind(AssertUnwindSafe(|| body(&mut context, record)));
        match ended.unwrap_or_else(|_| Ok(Ended::Thrown(b"panic".to_vec())))? {
            Ended::Value(bytes) => self.isolate.result(record.key, false, &bytes, &[]),
            Ended::Thrown(bytes) => self.isolate.result(record.key, true, &bytes, &[]),
            Ended::Exit(code) => return Err(Exit(code)),
        }
        Ok(())
    }
}

/// A driver and the threads that it starts when the runtime asks for them.
pub(crate) struct Crew {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) driver: Isolate,
    bodies: Arc<Bodies>,
    threads: Vec<JoinHandle<()>>,
    exits: Arc<AtomicUsize>,
}

impl Crew {
    pub(crate) fn new(runtime: Arc<Runtime>) -> Self {
        let driver = Isolate::driver(&runtime);
        Self {
            runtime,
            driver,
            bodies: Arc::default(),
            threads: Vec::new(),
            exits: Arc::default(),
        }
    }

    /// Makes a closure known; before the first thread starts.
    pub(crate) fn define(
        &mut self,
        name: &str,
        body: impl Fn(&mut Context<'_>, &TaskRecord) -> Result<Ended, Exit> + Send + Sync + 'static,
    ) -> u32 {
        let bodies = &mut Arc::get_mut(&mut self.bodies)
            .expect("no thread runs yet")
            .0;
        bodies.push(Box::new(body));
        self.runtime.define(Function {
            name: name.to_owned(),
            source: bodies.len().to_string(),
        })
    }

    /// Waits on the driver's thread; meanwhile it starts the threads that are wanted.
    pub(crate) fn get(&mut self, keys: &[Key]) -> Vec<Outcome> {
        let token = self.driver.get(keys);
        self.run_until(token);
        self.driver.fetch(keys)
    }

    pub(crate) fn run_until(&mut self, token: u32) {
        loop {
            let done = self.driver.drain();
            self.start_wanted();
            if done.iter().any(|(other, _)| *other == token) {
                self.driver.forget(token);
                return;
            }
            self.driver.park(NO_TIMEOUT);
        }
    }

    pub(crate) fn start_wanted(&mut self) {
        for _ in 0..std::mem::take(&mut self.driver.wanted) {
            let (runtime, bodies) = (self.runtime.clone(), self.bodies.clone());
            let exits = self.exits.clone();
            self.threads
                .push(std::thread::spawn(move || work(&runtime, &bodies, &exits)));
        }
    }

    /// Threads that ended by a task's doing.
    pub(crate) fn exits(&self) -> usize {
        self.exits.load(Ordering::Relaxed)
    }

    /// Stops the runtime and waits for its threads. Returns how many there were.
    pub(crate) fn stop(self) -> usize {
        self.runtime.stop();
        let count = self.threads.len();
        self.threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        self.driver.close(None, "");
        count
    }
}

fn work(runtime: &Arc<Runtime>, bodies: &Bodies, exits: &AtomicUsize) {
    let Some(mut isolate) = Isolate::new(runtime, Role::Worker { start: 0 }) else {
        runtime.thread_ended(u32::MAX, "no place for another worker".to_owned());
        return;
    };
    let mut has_searched = false;
    loop {
        if isolate.port.has_mail() {
            isolate.drain();
        }
        // The news may have come while a task drained its own mail.
        if isolate.header(header::STOPPED) != 0 {
            return isolate.close(None, "");
        }
        let mut again = None;
        match isolate.port.forage() {
            Forage::Work => {
                isolate.port.end_search();
                if let Err(Exit(code)) = run_rounds(&mut isolate, bodies) {
                    exits.fetch_add(1, Ordering::Relaxed);
                    return isolate.close(Some(code), "exit");
                }
                has_searched = false;
                continue;
            }
            Forage::Later(time) => again = Some(time),
            Forage::Nothing => {}
        }
        // Once: what it sees may be for others, as long as it has no slot.
        if !std::mem::replace(&mut has_searched, true) {
            isolate.port.start_search();
            let found = (0..8).any(|_| {
                std::thread::yield_now();
                isolate.port.has_mail() || isolate.port.has_work()
            });
            isolate.port.end_search();
            if found {
                continue;
            }
        }
        if isolate.port.announce() {
            isolate.bell.wait(again);
            isolate.port.retract();
            has_searched = false;
        }
    }
}

fn run_rounds(isolate: &mut Isolate, bodies: &Bodies) -> Result<(), Exit> {
    loop {
        let records = isolate.next();
        if records.is_empty() {
            return Ok(());
        }
        for record in records {
            if isolate.begin(record.k) {
                Context {
                    isolate,
                    bodies,
                    depth: 0,
                }
                .run(&record, 0)?;
            }
        }
    }
}
