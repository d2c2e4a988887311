//! Start and stop, functions, figures, constants: what is called seldom.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use mobula_runtime::{
    Action, ActorTerms, Config, Demand, Fault, Faults, Function, Origin, Outcome, Point, Runtime,
    Terms, Totals, layout,
};
use mobula_store::{Store, StoreConfig, ViewMode};
use mobula_sync::Mutex;
use napi::bindgen_prelude::{Either, Error, Result, Status};
use napi_derive::napi;

use crate::objects;

/// The runtime that runs now; its segments outlive it and serve the next.
static CURRENT: Mutex<Option<Arc<Runtime>>> = Mutex::new(None);
static STORE: Mutex<Option<Kept>> = Mutex::new(None);
static NEXT_ID: AtomicU32 = AtomicU32::new(1);

/// Of all runtimes, one after the other.
static FAULTS: LazyLock<Arc<Faults>> = LazyLock::new(Arc::default);

/// The store of the last runtime, which the next takes over if it wants the same.
#[derive(Debug)]
struct Kept {
    views: ViewMode,
    huge_pages: bool,
    spill: Option<PathBuf>,
    store: Arc<Store>,
}

pub(crate) fn current() -> Option<Arc<Runtime>> {
    CURRENT.lock().clone()
}

/// A thread is up within a second, on a loaded machine within a few.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Some fifty times what the crossing itself takes.
const CROSSING: Duration = Duration::from_micros(50);

/// More do not make a copy faster: memory has no more to give.
const COPY_THREADS: u32 = 4;

/// So much of a resource, in parts of 1/10,000: whole numbers.
#[napi(object)]
#[derive(Debug)]
pub struct Amount {
    /// The resource's.
    pub name: String,
    /// How much of it.
    pub parts: f64,
}

fn amounts(of: Vec<Amount>) -> Vec<(String, u64)> {
    of.into_iter()
        .map(|Amount { name, parts }| (name, parts as u64))
        .collect()
}

fn from_amounts(of: Vec<(String, u64)>) -> Vec<Amount> {
    of.into_iter()
        .map(|(name, parts)| Amount {
            name,
            parts: parts as f64,
        })
        .collect()
}

/// What a runtime is started with.
#[napi(object)]
#[derive(Debug)]
pub struct StartOptions {
    /// CPU in parts of 1/10,000.
    pub cpu: f64,
    /// Whole GPUs.
    pub gpus: u32,
    /// Named resources in parts of 1/10,000.
    pub named: Vec<Amount>,
    /// Threads at most, spares included.
    pub workers_max: u32,
    /// So many of them may run actors.
    pub hosts_max: u32,
    /// Threads that may copy one large value together; 4 if nothing is said.
    pub copy_threads: Option<u32>,
    /// Async tasks that one worker may have begun and not ended.
    pub async_max: u32,
    /// Tasks that may be submitted and not ended; no limit if nothing is said.
    pub pending_max: Option<u32>,
    /// Bytes that the store may hold.
    pub capacity: f64,
    /// How readers see stored bytes: `private`, `copy` or `shared`; empty: what the platform does best.
    pub views: String,
    /// Whether memory is taken in huge pages where the system has them.
    pub huge_pages: bool,
    /// Whether objects may go to disk when the store is full.
    pub spills: bool,
    /// Where to; the folder for temporary files if nothing is said.
    pub spill_directory: Option<String>,
}

fn store(options: &StartOptions) -> Result<Arc<Store>> {
    let capacity = options.capacity as u64;
    let mut kept = STORE.lock();
    let views = match options.views.as_str() {
        "private" => ViewMode::Private,
        "copy" => ViewMode::Copy,
        "shared" => ViewMode::Shared,
        _ => ViewMode::platform_default(),
    };
    let refused = |error: mobula_store::Error| Error::new(Status::InvalidArg, error.to_string());
    let preferred = options.spill_directory.as_deref().map(Path::new);
    let spill = match options.spills {
        true => mobula_store::spill_directory(preferred).map_err(refused)?,
        false => None,
    };
    if let Some(kept) = &*kept
        && kept.views == views
        && kept.huge_pages == options.huge_pages
        && kept.spill == spill
    {
        kept.store.set_capacity(capacity);
        return Ok(kept.store.clone());
    }
    let store = Store::new(StoreConfig {
        views,
        huge_pages: options.huge_pages,
        spill: spill.clone(),
        ..StoreConfig::new(capacity)
    })
    .map_err(refused)?;
    *kept = Some(Kept {
        views,
        huge_pages: options.huge_pages,
        spill,
        store: store.clone(),
    });
    Ok(store)
}

/// Starts a runtime and returns its number. One runs at a time.
#[napi(catch_unwind)]
pub fn start(options: StartOptions) -> Result<u32> {
    let store = store(&options)?;
    let mut current = CURRENT.lock();
    if current.is_some() {
        return Err(Error::new(
            Status::InvalidArg,
            "a runtime is running".to_owned(),
        ));
    }
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let config = Config {
        id,
        totals: Totals {
            cpu: options.cpu as u64,
            gpus: options.gpus,
            named: amounts(options.named),
        },
        workers_max: options.workers_max,
        hosts_max: options.hosts_max,
        cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
        copy_threads: options.copy_threads.unwrap_or(COPY_THREADS),
        async_max: options.async_max,
        pending_max: options.pending_max,
        faults: FAULTS.clone(),
        crossing: CROSSING,
        start_patience: START_PATIENCE,
    };
    *current = Some(Runtime::new(config, store));
    Ok(id)
}

/// Stops this runtime, if it is the one that runs.
pub(crate) fn end(id: u32) {
    let mut current = CURRENT.lock();
    if current.as_ref().is_some_and(|runtime| runtime.id() == id)
        && let Some(runtime) = current.take()
    {
        runtime.stop();
    }
}

/// Stops the runtime: all waits end. Its memory is free when the last isolate has let go of it.
#[napi(catch_unwind)]
pub fn stop() {
    if let Some(runtime) = CURRENT.lock().take() {
        runtime.stop();
    }
}

/// So long a worker beyond one for each CPU stays idle before it ends.
const SPARE_IDLE_MAX: Duration = Duration::from_secs(10);

/// An actor that has waited for long for what others hold.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub struct PoorActor {
    /// The name of its class.
    pub name: String,
    /// What it is to hold while it lives, by name.
    pub needs: Vec<String>,
    /// Who holds some of that: the first few.
    pub holders: Vec<String>,
}

/// Memory of the store that nobody has used for a while goes back to the system, and workers that are too many end. Gives actors that
/// somebody is to be told of.
#[napi(catch_unwind)]
pub fn tend() -> Vec<PoorActor> {
    let Some(runtime) = current() else {
        return Vec::new();
    };
    let now = Instant::now();
    runtime.store().tend(now);
    runtime.tend_clock();
    runtime.tend_wakes();
    runtime.retire(now, SPARE_IDLE_MAX);
    let poor = runtime.long_poor().into_iter();
    poor.map(|it| PoorActor {
        name: it.name,
        needs: it.needs,
        holders: it.holders,
    })
    .collect()
}

/// Gives memory of the store that nobody uses back to the system.
#[napi(catch_unwind)]
pub fn trim() {
    if let Some(kept) = &*STORE.lock() {
        kept.store.trim();
    }
}

/// Words that nobody can guess, as the system gives them.
#[napi(catch_unwind)]
pub fn random_words(count: u32) -> Result<Vec<u32>> {
    let words = (0..count).map(|_| getrandom::u32());
    words
        .collect::<std::result::Result<_, _>>()
        .map_err(|error| Error::new(Status::GenericFailure, error.to_string()))
}

/// The number of the running runtime; 0: none.
#[napi(catch_unwind)]
pub fn running() -> u32 {
    current().map_or(0, |runtime| runtime.id())
}

/// A function as workers need it.
#[napi(object)]
#[derive(Debug)]
pub struct FunctionRecord {
    /// Shown in errors.
    pub name: String,
    /// Text that the workers' loader understands.
    pub source: String,
    /// The id under which this source was first defined: what a worker has made of it then serves all.
    pub first: u32,
    /// How many objects each call returns.
    pub returns: u32,
    /// Calls give their items one by one.
    pub is_stream: bool,
    /// More on its terms, as it was defined.
    pub notes: String,
}

/// A function, and on what terms it is called.
#[napi(object)]
#[derive(Debug)]
pub struct DefinitionRecord {
    /// Shown in errors.
    pub name: String,
    /// Text that the workers' loader understands.
    pub source: String,
    /// CPU in parts of 1/10,000.
    pub cpu: f64,
    /// GPUs in parts of 1/10,000.
    pub gpu: f64,
    /// Named resources in parts of 1/10,000.
    pub named: Vec<Amount>,
    /// -1, 0 or 1.
    pub priority: i32,
    /// How many objects each call returns.
    pub returns: u32,
    /// How often each call may be run again; -1: for ever.
    pub retries: f64,
    /// Milliseconds that one run may take.
    pub limit: Option<f64>,
    /// More on its terms, for workers.
    pub notes: String,
    /// It is declared `async`.
    pub is_async: bool,
    /// It is a class: on what terms its actors live.
    pub actor: Option<ActorRecord>,
    /// It is a method of an actor's.
    pub is_method: Option<bool>,
    /// It is a generator: so many of its items at most are there that nobody has taken.
    pub stream: Option<u32>,
}

/// On what terms the actors of a class live.
#[napi(object)]
#[derive(Debug)]
pub struct ActorRecord {
    /// How often each may be made anew; -1: for ever.
    pub restarts: f64,
    /// Calls that may go on at once; 0: as the class says, once it is there.
    pub concurrency: u32,
    /// The same for each group of methods.
    pub groups: Vec<u32>,
    /// Calls of one caller begin in the order in which they were made.
    pub in_order: bool,
    /// Calls that may be made and not have ended.
    pub pending_max: Option<u32>,
    /// Each has a thread to itself.
    pub is_own: bool,
    /// That thread is started for it.
    pub is_single: bool,
    /// They live until somebody kills them.
    pub is_detached: bool,
}

impl From<ActorRecord> for ActorTerms {
    fn from(record: ActorRecord) -> Self {
        Self {
            restarts: count(record.restarts),
            concurrency: record.concurrency,
            groups: record.groups,
            in_order: record.in_order,
            pending_max: record.pending_max,
            is_own: record.is_own,
            is_single: record.is_single,
            is_detached: record.is_detached,
        }
    }
}

/// How often something may happen; below 0: for ever.
fn count(times: f64) -> u32 {
    match times {
        below if below < 0.0 => u32::MAX,
        // Saturates.
        times => times as u32,
    }
}

/// What became of a definition.
#[napi(object)]
#[derive(Debug)]
pub struct DefinedRecord {
    /// Names it in records.
    pub id: u32,
    /// It needs more than there is, and is the first to need just that.
    pub is_first_beyond: bool,
}

fn not_running() -> Error {
    Error::new(Status::GenericFailure, "no runtime is running".to_owned())
}

/// Makes a function known; equal definitions share an id.
#[napi(catch_unwind)]
pub fn define_function(definition: DefinitionRecord) -> Result<DefinedRecord> {
    let runtime = current().ok_or_else(not_running)?;
    let DefinitionRecord { name, source, .. } = definition;
    let terms = Terms {
        demand: Demand {
            cpu: definition.cpu as u64,
            gpu: definition.gpu as u64,
            named: amounts(definition.named),
        },
        priority: definition.priority as i8,
        returns: definition.returns,
        retries: count(definition.retries),
        limit: definition
            .limit
            .map(|ms| Duration::from_micros((ms * 1000.0) as u64)),
        notes: definition.notes,
        actor: definition.actor.map(ActorTerms::from),
        is_method: definition.is_method.unwrap_or_default(),
        stream: definition.stream,
    };
    let defined = runtime.define_on(Function { name, source }, terms);
    if definition.is_async {
        runtime.is_async(defined.id);
    }
    Ok(DefinedRecord {
        id: defined.id,
        is_first_beyond: defined.is_first_beyond,
    })
}

/// A call of the function with this id returned a promise, or it was imported and is declared `async`.
#[napi(catch_unwind)]
pub fn turns_out_async(id: u32) {
    if let Some(runtime) = current() {
        runtime.turns_out_async(id);
    }
}

/// The record of a function, if there is one with this id.
#[napi(catch_unwind)]
pub fn function_record(id: u32) -> Option<FunctionRecord> {
    let runtime = current()?;
    let definition = runtime.definition(id)?;
    let first = runtime.first_of_source(&definition).unwrap_or(id);
    let Function { name, source } = definition.function.clone();
    Some(FunctionRecord {
        name,
        source,
        first,
        returns: definition.terms.returns,
        is_stream: definition.terms.stream.is_some(),
        notes: definition.terms.notes.clone(),
    })
}

/// The thread that was started for the actor in a slot alone has ended.
#[napi(catch_unwind)]
pub fn actor_thread_ended(slot: u32, generation: u32, start: u32, text: String) {
    let key = mobula_sched::Key {
        index: slot,
        generation,
    };
    if let Some(runtime) = current() {
        runtime.single_ended(key, start, &text);
    }
}

/// Namespace and name of the actor in a slot, if it has a name.
#[napi(catch_unwind)]
pub fn actor_name(slot: u32, generation: u32) -> Option<Vec<String>> {
    let key = mobula_sched::Key {
        index: slot,
        generation,
    };
    let name = current()?.actor_name(key)?;
    Some(vec![name.0.clone(), name.1.clone()])
}

/// What the code of a task may use.
#[napi(object)]
#[derive(Debug)]
pub struct AssignedRecord {
    /// Parts of 1/10,000 of each resource, `CPU` and `GPU` among them.
    pub resources: Vec<Amount>,
    /// GPUs by number.
    pub gpus: Vec<u32>,
}

/// What the task that was handed out under a slot and a definition may use.
#[napi(catch_unwind)]
pub fn assigned(slot: u32, generation: u32, definition: u32) -> Option<AssignedRecord> {
    let runtime = current()?;
    let key = mobula_sched::Key {
        index: slot,
        generation,
    };
    let cpu = runtime.definition(definition)?.terms.demand.cpu;
    let granted = runtime.granted(key);
    let (gpus, named) = granted.map_or_else(Default::default, |granted| {
        (granted.gpus.into_vec(), granted.named)
    });
    let cpu = (cpu > 0).then(|| ("CPU".to_owned(), cpu));
    let resources = cpu.into_iter().chain(named).collect();
    Some(AssignedRecord {
        resources: from_amounts(resources),
        gpus,
    })
}

/// A resource of the running runtime, in parts of 1/10,000.
#[napi(object)]
#[derive(Debug)]
pub struct ResourceRecord {
    /// `CPU`, `GPU`, or as it was named.
    pub name: String,
    /// How much there is.
    pub total: f64,
    /// How much of it is not in use.
    pub available: f64,
}

/// All resources, CPU and GPU first.
#[napi(catch_unwind)]
pub fn resources() -> Vec<ResourceRecord> {
    let all = current().map_or_else(Vec::new, |runtime| runtime.resources());
    all.into_iter()
        .map(|(name, total, available)| ResourceRecord {
            name,
            total: total as f64,
            available: available as f64,
        })
        .collect()
}

/// A worker thread ended, or could not be started; `start` is its number.
#[napi(catch_unwind)]
pub fn thread_ended(start: u32, text: String) {
    if let Some(runtime) = current() {
        runtime.thread_ended(start, text);
    }
}

/// Somebody terminates a worker thread; `start` is its number.
#[napi(catch_unwind)]
pub fn thread_terminating(start: u32) {
    if let Some(runtime) = current() {
        runtime.terminating(start);
    }
}

/// The driver was told to terminate the thread of this start. False: it must not any more.
#[napi(catch_unwind)]
pub fn execute_thread(start: u32) -> bool {
    current().is_some_and(|runtime| runtime.execute(start))
}

/// Asks every isolate for a major collection; the figure `collecting` falls to 0 as they have done it.
#[napi(catch_unwind)]
pub fn ask_to_collect() {
    if let Some(runtime) = current() {
        runtime.ask_to_collect();
    }
}

/// Stored objects of one origin.
#[napi(object)]
#[derive(Debug)]
pub struct HoldingRecord {
    /// `put`, `result` or `arguments`.
    pub kind: String,
    /// The task's, if there is one.
    pub name: String,
    /// How many objects.
    pub objects: f64,
    /// Their length together.
    pub bytes: f64,
}

/// Stored objects by origin, the largest first.
#[napi(catch_unwind)]
pub fn holdings() -> Vec<HoldingRecord> {
    let Some(runtime) = current() else {
        return Vec::new();
    };
    let name = |id| {
        runtime
            .definition(id)
            .map_or_else(String::new, |definition| definition.function.name.clone())
    };
    let record = |holding: mobula_runtime::Holding| {
        let (kind, name) = match holding.origin {
            Origin::Put => ("put", String::new()),
            Origin::Result(id) => ("result", name(id)),
            Origin::Arguments(id) => ("arguments", name(id)),
        };
        HoldingRecord {
            kind: kind.to_owned(),
            name,
            objects: holding.objects as f64,
            bytes: holding.bytes as f64,
        }
    };
    runtime.holdings().into_iter().map(record).collect()
}

/// Objects to which each isolate has handles.
#[napi(catch_unwind)]
pub fn handles() -> Vec<f64> {
    let handles = current().map_or_else(Vec::new, |runtime| runtime.handles());
    handles.into_iter().map(|count| count as f64).collect()
}

/// One run of a task; for one that was not begun, what there is of it. Times are milliseconds of the calendar.
#[napi(object)]
#[derive(Debug)]
pub struct RunRecord {
    /// The task's public id.
    pub id: String,
    /// The task's.
    pub name: String,
    /// How often it had been begun before, in vain.
    pub attempt: u32,
    /// The number of the thread that it ran on.
    pub worker: Option<u32>,
    /// How it ended, or how far it has come.
    pub outcome: String,
    /// When it was handed in.
    pub submitted: f64,
    /// When all that it depends on was there.
    pub ready: Option<f64>,
    /// When its code began.
    pub started: Option<f64>,
    /// When it ended.
    pub finished: Option<f64>,
}

/// The last runs of all tasks, and those that have not ended, in the order of their submission.
#[napi(catch_unwind)]
pub fn runs() -> Vec<RunRecord> {
    let Some(runtime) = current() else {
        return Vec::new();
    };
    let mut names = HashMap::new();
    let date = |stamp| (stamp > 0).then(|| runtime.date(stamp));
    let record = |run: mobula_runtime::Run| RunRecord {
        id: run.id.iter().map(|word| format!("{word:08x}")).collect(),
        name: names
            .entry(run.function)
            .or_insert_with(|| {
                let definition = runtime.definition(run.function);
                definition.map_or_else(String::new, |it| it.function.name.clone())
            })
            .clone(),
        attempt: run.attempt,
        worker: run.worker,
        outcome: outcome_name(run.outcome).to_owned(),
        submitted: runtime.date(run.submitted),
        ready: date(run.ready),
        started: date(run.started),
        finished: date(run.finished),
    };
    runtime.runs().into_iter().map(record).collect()
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Waiting => "waiting",
        Outcome::Queued => "queued",
        Outcome::Running => "running",
        Outcome::Returned => "returned",
        Outcome::Threw => "threw",
        Outcome::Died => "died",
        Outcome::Cancelled => "cancelled",
        Outcome::TimedOut => "timed out",
        Outcome::Freed => "freed",
        Outcome::Lost => "lost",
        Outcome::Upstream => "upstream failed",
        Outcome::Unstartable => "no worker",
    }
}

/// Figures of the runtime and of the store, by name.
#[napi(catch_unwind)]
pub fn figures() -> HashMap<String, f64> {
    let mut figures = HashMap::new();
    let mut set = |name: &str, value: f64| {
        figures.insert(name.to_owned(), value);
    };
    if let Some(runtime) = current() {
        let stats = runtime.stats();
        set("slots", stats.slots as f64);
        set("edges", stats.edges as f64);
        set("workers", f64::from(stats.workers));
        set("abandonedThreads", f64::from(stats.abandoned));
        set("queued", stats.queued as f64);
        set("actors", stats.actors as f64);
        set("collecting", runtime.collecting() as f64);
    }
    set("strandedBytes", objects::stranded() as f64);
    if let Some(kept) = &*STORE.lock() {
        let stats = kept.store.stats();
        set("storeBytes", stats.bytes as f64);
        set("storeCommitted", stats.committed as f64);
        set("storeObjects", stats.objects as f64);
        set("storePins", stats.pins as f64);
        set("storePinnedObjects", stats.pinned_objects as f64);
        set("storePinnedBytes", stats.pinned_bytes as f64);
        set("storeCapacity", stats.capacity as f64);
        set("storeSpilledBytes", stats.spilled as f64);
        set("storeSpilledObjects", stats.spilled_objects as f64);
        set("storeRestoredObjects", stats.restored_objects as f64);
        set("storeDiskBytes", stats.disk as f64);
    }
    figures
}

/// What is to happen at a point that tests have something happen at.
#[napi(object)]
#[derive(Debug)]
pub struct FaultRecord {
    /// `kill`, `delay` or `drop`.
    pub action: String,
    /// From this pass on; with a seed, at one in so many.
    pub nth: f64,
    /// At so many passes; may be infinite.
    pub times: f64,
    /// Of a delay.
    pub ms: f64,
    /// Chooses the passes.
    pub seed: Option<f64>,
}

/// The points by number.
#[napi(catch_unwind)]
pub fn fault_points() -> Vec<&'static str> {
    Point::ALL.map(Point::name).to_vec()
}

/// Something is to happen at a point, in all threads.
#[napi(catch_unwind)]
pub fn set_fault(point: u32, fault: FaultRecord) {
    let action = match fault.action.as_str() {
        "kill" => Action::Kill,
        "drop" => Action::Drop,
        _ => Action::Delay(Duration::from_secs_f64(fault.ms / 1000.0)),
    };
    let fault = Fault {
        action,
        nth: fault.nth as u64,
        times: fault.times as u64,
        seed: fault.seed.map(|seed| seed as u64),
    };
    if let Some(point) = Point::ALL.get(point as usize) {
        FAULTS.set(*point, fault);
    }
}

/// Nothing happens any more.
#[napi(catch_unwind)]
pub fn clear_faults() {
    FAULTS.clear();
}

/// This thread is at a point: `kill`, `drop`, or how many milliseconds it is to be late.
#[napi(catch_unwind)]
pub fn pass_fault(point: u32) -> Option<Either<String, f64>> {
    let point = Point::ALL.get(point as usize)?;
    Some(match FAULTS.pass(*point)? {
        Action::Kill => Either::A("kill".to_owned()),
        Action::Drop => Either::A("drop".to_owned()),
        Action::Delay(time) => Either::B(time.as_secs_f64() * 1000.0),
    })
}

/// The version of the addon, which must be that of the package.
#[napi]
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Every constant of the record layout, by name. TypeScript has no copy of these numbers.
#[napi(catch_unwind)]
pub fn layout_constants() -> HashMap<String, u32> {
    let mut all = HashMap::new();
    macro_rules! name {
        ($prefix:literal, $module:path, $($name:ident),+) => {{
            use $module as from;
            $(all.insert(concat!($prefix, stringify!($name)).to_owned(), from::$name as u32);)+
        }};
    }
    name!(
        "",
        layout,
        VERSION,
        AREA_BYTES,
        HEADER_BYTES,
        STOCK_MAX,
        STOCK_ENTRY,
        STOCK_AT,
        OPS_MAX,
        OP_BYTES,
        OPS_AT
    );
    name!(
        "",
        layout,
        OP_HEAP_AT,
        HEAP_BYTES,
        TASK_BYTES,
        TASK_ACTOR_AT,
        TASK_BIRTH_AT,
        BIRTH_WORD,
        TASKS_AT,
        TASK_HEAP_AT,
        COMPLETIONS_MAX,
        COMPLETION_BYTES
    );
    name!(
        "",
        layout,
        COMPLETIONS_AT,
        FETCH_MAX,
        FETCH_BYTES,
        FETCH_AT,
        FETCH_HEAP_AT,
        REF_BYTES,
        LETTERS_AT,
        LETTER_BYTES,
        LETTERS_MAX,
        EXIT_TEXT_AT
    );
    name!(
        "",
        layout,
        EXIT_TEXT_MAX,
        INLINE_MAX,
        COPY_MAX,
        NO_TIMEOUT,
        STATES_OF_ITEMS
    );
    name!(
        "H_",
        layout::header,
        OPS,
        OP_HEAP,
        STOCK,
        TASKS,
        ROUND,
        COMPLETIONS,
        FETCH_ASKED,
        FETCH_ANSWERED,
        WANTED
    );
    name!(
        "H_",
        layout::header,
        PARK_MS,
        PARK_REASON,
        EXIT_CODE,
        EXIT_TEXT,
        IN_FLIGHT,
        STOPPED,
        OUTSTANDING
    );
    name!(
        "H_",
        layout::header,
        WRITTEN_SLOT,
        WRITTEN_GENERATION,
        FETCH_STATES,
        COLLECT,
        ROOM,
        HELD,
        LEAVE,
        ORIGIN_HIGH,
        ORIGIN_LOW,
        LETTERS,
        FAULTS,
        ADMITTED
    );
    name!(
        "OP_",
        layout::op,
        SUBMIT,
        PUT,
        RESULT,
        RETURN,
        RELEASE,
        RETAIN,
        REFS,
        KEYS,
        GET,
        WAIT,
        END_WAIT,
        HAND_BACK,
        FREE,
        COLLECTED,
        CANCEL,
        TO,
        CREATE,
        KILL,
        EXIT,
        LET_GO,
        BRING,
        NEXT,
        TOOK,
        YIELD,
        ASK,
        STORED
    );
    name!("HOW_", layout::how, DONE, FAILED, FAILED_AGAIN);
    name!("CANCEL_", layout::cancel, FORCED, RECURSIVE, LEFT);
    name!(
        "LETTER_",
        layout::letter,
        CANCELLED,
        TIMED_OUT,
        TERMINATE,
        DROP_ACTOR,
        START_FOR,
        RESUME
    );
    name!("KILL_", layout::kill, NO_RESTART);
    name!(
        "REASON_",
        layout::reason,
        KILLED,
        EXITED,
        OUT_OF_SCOPE,
        CRASHED,
        NEIGHBOUR,
        CONSTRUCTOR
    );
    name!("PLACE_", layout::place, HEAP, VIEW, BULK);
    name!(
        "STATE_",
        layout::state,
        PENDING,
        VALUE,
        THROWN,
        CRASHED,
        SETUP,
        GONE,
        FREED,
        LOST,
        CANCELLED,
        TIMED_OUT,
        ACTOR_DIED,
        ACTOR_BROKEN,
        ACTOR_UNAVAILABLE,
        END
    );
    name!("STATUS_", layout::status, READY, FAILED, ENDED, CIRCLE);
    name!(
        "",
        mobula_sched,
        BATCH_MAX,
        HEADER_WORDS,
        CLAIM_WORDS,
        IDLE_WORD
    );
    all
}
