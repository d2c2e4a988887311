//! A port and its area, with the moves that TypeScript makes on them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mobula_runtime::layout::{self, cancel, header, how, kill, letter, op, place, state};
use mobula_runtime::{Found, Port, Role, Runtime, Which};
use mobula_sched::Key;

use super::bell::TestBell;
use super::record::{self, Outcome, TaskRecord};

const OFFERED: u32 = 1;
const CLAIMED: u32 = 2;

/// Refs or keys that one record carries here: few, so that long tables take several.
const TABLE_MAX: usize = 64;

/// No task's code.
pub(crate) const NOBODY: Key = Key {
    index: 0,
    generation: 0,
};

/// What a call calls: a definition, and the group of methods that it belongs to.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Method {
    pub(crate) function: u32,
    pub(crate) group: u32,
}

#[derive(Debug)]
pub(crate) struct Isolate {
    pub(crate) port: Port,
    pub(crate) bell: Arc<TestBell>,
    pub(crate) area: Vec<u8>,
    ops: usize,
    heap: usize,
    /// How often what was written has been handed in.
    pub(crate) crossings: u64,
    /// Threads wanted and not yet started (driver).
    pub(crate) wanted: u32,
    /// What was named last to be brought along.
    pub(crate) brought: Option<Key>,
    waits: Vec<bool>,
    free_tokens: Vec<u32>,
    /// Tasks begun here that nobody wants any more, and whether that is since they took too long.
    pub(crate) unwanted: Vec<(Key, bool)>,
    /// Starts whose threads are to be terminated (driver).
    pub(crate) doomed: Vec<u32>,
    /// Actors whose instances here are nobody's any more.
    pub(crate) dropped: Vec<Key>,
    /// Streams begun here that may yield more items.
    pub(crate) resumed: Vec<Key>,
}

/// What a task is given beside bytes.
#[derive(Debug, Default)]
pub(crate) struct Given<'a> {
    pub(crate) deps: &'a [Key],
    pub(crate) refs: &'a [Key],
    /// What its function brings along.
    pub(crate) brings: Option<Key>,
}

/// A task, or a call or constructor with the birth that its record named; 0: a task.
pub(crate) type Run = (Key, u32);

/// A finished wait: its token, and how it ended.
pub(crate) type Completion = (u32, u32);

impl Isolate {
    pub(crate) fn driver(runtime: &Arc<Runtime>) -> Self {
        Self::new(runtime, Role::Driver).unwrap()
    }

    pub(crate) fn worker(runtime: &Arc<Runtime>) -> Self {
        Self::new(runtime, Role::Worker { start: 0 }).expect("a place for one more worker")
    }

    pub(crate) fn new(runtime: &Arc<Runtime>, role: Role) -> Option<Self> {
        let bell = Arc::new(TestBell::default());
        let port = Port::new(runtime.clone(), role, bell.clone())?;
        let mut isolate = Self {
            port,
            bell,
            area: record::area(),
            ops: 0,
            heap: 0,
            crossings: 0,
            wanted: 0,
            brought: None,
            waits: Vec::new(),
            free_tokens: Vec::new(),
            unwanted: Vec::new(),
            doomed: Vec::new(),
            dropped: Vec::new(),
            resumed: Vec::new(),
        };
        isolate.flush();
        Some(isolate)
    }

    pub(crate) fn header(&self, index: usize) -> u32 {
        record::header(&self.area, index)
    }

    /// So many async tasks were begun here and have not ended; the next crossing tells.
    pub(crate) fn hold(&mut self, count: usize) {
        record::set_header(&mut self.area, header::HELD, count as u32);
    }

    fn crossed(&mut self) {
        (self.ops, self.heap) = (0, 0);
        self.crossings += 1;
        self.wanted += self.header(header::WANTED);
        record::set_header(&mut self.area, header::WANTED, 0);
    }

    pub(crate) fn flush(&mut self) {
        self.port.flush(&mut self.area);
        self.crossed();
    }

    fn reserve(&mut self, records: usize, bytes: usize) {
        if self.ops + records > layout::OPS_MAX || self.heap + bytes > layout::HEAP_BYTES {
            self.flush();
        }
    }

    fn record(&mut self, words: &[u32]) {
        let at = layout::OPS_AT + self.ops * layout::OP_BYTES;
        for k in 0..layout::OP_BYTES / 4 {
            record::set_word(
                &mut self.area,
                at + 4 * k,
                words.get(k).copied().unwrap_or(0),
            );
        }
        self.ops += 1;
        record::set_header(&mut self.area, header::OPS, self.ops as u32);
    }

    fn heap_take(&mut self, bytes: usize) -> usize {
        let at = self.heap;
        self.heap = (at + bytes).next_multiple_of(64);
        record::set_header(&mut self.area, header::OP_HEAP, self.heap as u32);
        at
    }

    fn write_refs(&mut self, refs: &[Key]) {
        for refs in refs.chunks(TABLE_MAX) {
            self.reserve(1, refs.len() * layout::REF_BYTES);
            let heap = self.heap_take(refs.len() * layout::REF_BYTES);
            for (k, key) in refs.iter().enumerate() {
                let at = layout::OP_HEAP_AT + heap + k * layout::REF_BYTES;
                record::write_ref(&mut self.area, at, *key);
            }
            self.record(&[op::REFS, heap as u32, refs.len() as u32]);
        }
    }

    /// Words 8 and 9, 12 and 13 of a record that carries these bytes; large ones go to the store.
    fn place(&mut self, bytes: &[u8]) -> [u32; 4] {
        if bytes.len() > layout::INLINE_MAX {
            let mut draft = self
                .port
                .runtime()
                .store()
                .create(bytes.len() as u64)
                .unwrap();
            draft.write(0, bytes).unwrap();
            let object = draft.seal();
            self.port.keep(object, bytes.len() as u64);
            return [0, op::STORED, object.index, object.generation];
        }
        let heap = self.heap_take(bytes.len());
        let at = layout::OP_HEAP_AT + heap;
        self.area[at..at + bytes.len()].copy_from_slice(bytes);
        [heap as u32, bytes.len() as u32, 0, 0]
    }

    fn mint(&mut self) -> Key {
        let left = self.header(header::STOCK) - 1;
        record::set_header(&mut self.area, header::STOCK, left);
        record::key_at(
            &self.area,
            layout::STOCK_AT + left as usize * layout::STOCK_ENTRY,
        )
    }

    fn need_room(&mut self, bytes: &[u8]) {
        self.reserve(1, bytes.len().min(layout::INLINE_MAX) + 64);
        if self.header(header::STOCK) == 0 {
            self.flush();
        }
    }

    pub(crate) fn submit(
        &mut self,
        function: u32,
        bytes: &[u8],
        deps: &[Key],
        refs: &[Key],
    ) -> Key {
        let given = Given {
            deps,
            refs,
            brings: None,
        };
        self.submit_in(NOBODY, function, bytes, &given)
    }

    /// The same in the code of a task.
    pub(crate) fn submit_in(
        &mut self,
        parent: Key,
        function: u32,
        bytes: &[u8],
        given: &Given<'_>,
    ) -> Key {
        self.submit_as(op::SUBMIT, parent, function, bytes, given)
    }

    /// An actor of a class; the deps are those of its constructor.
    pub(crate) fn create(&mut self, class: u32, bytes: &[u8], deps: &[Key], refs: &[Key]) -> Key {
        let given = Given {
            deps,
            refs,
            brings: None,
        };
        self.submit_as(op::CREATE, NOBODY, class, bytes, &given)
    }

    /// The same under a name, unless there is one of that name: then it is that one, to which this isolate has a handle more. True
    /// for a new one.
    pub(crate) fn create_named(&mut self, class: u32, name: &str, bytes: &[u8]) -> (Key, bool) {
        let key = self.create(class, bytes, &[], &[]);
        let name = (String::new(), name.to_owned());
        let found = self.port.create_named(&mut self.area, name);
        self.crossed();
        found.map_or((key, true), |Found { key, .. }| (key, false))
    }

    /// The actor of this name, to which this isolate has a handle more then.
    pub(crate) fn find(&mut self, name: &str) -> Option<Key> {
        self.flush();
        let found = self.port.find_actor(&(String::new(), name.to_owned()));
        found.map(|Found { key, .. }| key)
    }

    /// A call of an actor, made by the code of a task or of nobody's.
    pub(crate) fn call_in(
        &mut self,
        parent: Key,
        actor: Key,
        method: Method,
        bytes: &[u8],
        (deps, refs): (&[Key], &[Key]),
    ) -> Key {
        self.write_refs(deps);
        self.write_refs(refs);
        // Both records in one piece: the next submission is the call.
        self.reserve(2, bytes.len().min(layout::INLINE_MAX) + 64);
        self.need_room(bytes);
        self.record(&[op::TO, actor.index, actor.generation, method.group]);
        let given = Given {
            deps,
            refs,
            brings: None,
        };
        self.submit_written(op::SUBMIT, parent, method.function, bytes, &given)
    }

    pub(crate) fn call(&mut self, actor: Key, method: Method, bytes: &[u8]) -> Key {
        self.call_in(NOBODY, actor, method, bytes, (&[], &[]))
    }

    pub(crate) fn kill(&mut self, actor: Key, no_restart: bool) {
        self.reserve(1, 0);
        let flags = if no_restart { kill::NO_RESTART } else { 0 };
        self.record(&[op::KILL, actor.index, actor.generation, flags]);
        self.flush();
    }

    /// The actor's own code, of this birth, ends it.
    pub(crate) fn exit_actor(&mut self, actor: Key, birth: u32) {
        self.birth_record(op::EXIT, (actor, birth));
        self.flush();
    }

    /// The code of a call has ended, and nothing comes of it: its instance is nobody's.
    pub(crate) fn let_go(&mut self, run: Run) {
        self.birth_record(op::LET_GO, run);
    }

    /// A constructor has returned; so many calls may go on at once, if its class says nothing else.
    pub(crate) fn constructed(&mut self, (actor, birth): Run, limit: u32) {
        self.need_room(&[]);
        let mut words = [0; 15];
        words[..5].copy_from_slice(&[op::RESULT, actor.index, actor.generation, 0, birth]);
        words[7] = how::DONE;
        words[14] = limit;
        self.record(&words);
    }

    fn submit_as(
        &mut self,
        kind: u32,
        parent: Key,
        function: u32,
        bytes: &[u8],
        given: &Given<'_>,
    ) -> Key {
        self.write_refs(given.deps);
        self.write_refs(given.refs);
        if let Some(key) = given.brings {
            self.bring(key);
        }
        self.need_room(bytes);
        self.submit_written(kind, parent, function, bytes, given)
    }

    fn submit_written(
        &mut self,
        kind: u32,
        parent: Key,
        function: u32,
        bytes: &[u8],
        Given { deps, refs, brings }: &Given<'_>,
    ) -> Key {
        let [offset, len, object, generation] = self.place(bytes);
        let key = self.mint();
        let (deps, refs) = (deps.len() as u32, refs.len() as u32);
        self.record(&[
            kind,
            key.index,
            key.generation,
            parent.index,
            parent.generation,
            0,
            0,
            function,
            offset,
            len,
            deps,
            refs,
            object,
            generation,
            0,
            u32::from(brings.is_some()),
        ]);
        key
    }

    fn bring(&mut self, key: Key) {
        if self.brought.replace(key) == Some(key) {
            return;
        }
        self.reserve(1, layout::REF_BYTES);
        let heap = self.heap_take(layout::REF_BYTES);
        record::write_ref(&mut self.area, layout::OP_HEAP_AT + heap, key);
        self.record(&[op::BRING, heap as u32]);
    }

    /// A task with so many further returns.
    pub(crate) fn submit_many(&mut self, function: u32, further: usize) -> (Key, Vec<Key>) {
        self.flush();
        let returns: Vec<Key> = (0..further).map(|_| self.mint()).collect();
        let heap = self.write_keys(&returns);
        self.record(&[op::KEYS, heap as u32, returns.len() as u32]);
        let key = self.mint();
        let further = further as u32;
        self.record(&[
            op::SUBMIT,
            key.index,
            key.generation,
            0,
            0,
            0,
            0,
            function,
            0,
            0,
            0,
            0,
            0,
            0,
            further,
        ]);
        (key, returns)
    }

    fn write_keys(&mut self, keys: &[Key]) -> usize {
        self.reserve(1, keys.len() * 8);
        let heap = self.heap_take(keys.len() * 8);
        for (k, key) in keys.iter().enumerate() {
            let at = layout::OP_HEAP_AT + heap + 8 * k;
            record::set_word(&mut self.area, at, key.index);
            record::set_word(&mut self.area, at + 4, key.generation);
        }
        heap
    }

    pub(crate) fn put(&mut self, bytes: &[u8], refs: &[Key]) -> Key {
        self.write_refs(refs);
        self.need_room(bytes);
        let [offset, len, object, generation] = self.place(bytes);
        let key = self.mint();
        let refs = refs.len() as u32;
        self.record(&[
            op::PUT,
            key.index,
            key.generation,
            0,
            0,
            0,
            0,
            0,
            offset,
            len,
            0,
            refs,
            object,
            generation,
        ]);
        key
    }

    pub(crate) fn result(&mut self, key: Key, failed: bool, bytes: &[u8], refs: &[Key]) {
        let how = if failed { how::FAILED } else { how::DONE };
        self.result_as(how, (key, 0), bytes, refs);
    }

    /// It threw what may be tried again.
    pub(crate) fn fail_again(&mut self, key: Key, bytes: &[u8]) {
        self.result_as(how::FAILED_AGAIN, (key, 0), bytes, &[]);
    }

    /// What a run came to, of an actor's or not.
    pub(crate) fn result_as(&mut self, how: u32, (key, birth): Run, bytes: &[u8], refs: &[Key]) {
        self.write_refs(refs);
        self.need_room(bytes);
        let [offset, len, object, generation] = self.place(bytes);
        let refs = refs.len() as u32;
        self.record(&[
            op::RESULT,
            key.index,
            key.generation,
            0,
            birth,
            0,
            0,
            how,
            offset,
            len,
            0,
            refs,
            object,
            generation,
        ]);
    }

    fn birth_record(&mut self, kind: u32, (key, birth): Run) {
        self.reserve(1, 0);
        self.record(&[kind, key.index, key.generation, 0, birth]);
    }

    fn key_record(&mut self, kind: u32, key: Key) {
        self.reserve(1, 0);
        self.record(&[kind, key.index, key.generation]);
    }

    pub(crate) fn release(&mut self, key: Key) {
        self.key_record(op::RELEASE, key);
    }

    pub(crate) fn retain(&mut self, key: Key) {
        self.key_record(op::RETAIN, key);
    }

    pub(crate) fn free(&mut self, key: Key) {
        self.key_record(op::FREE, key);
    }

    pub(crate) fn cancel(&mut self, key: Key, is_forced: bool, is_recursive: bool) {
        self.reserve(1, 0);
        let forced = if is_forced { cancel::FORCED } else { 0 };
        let recursive = if is_recursive { cancel::RECURSIVE } else { 0 };
        self.record(&[op::CANCEL, key.index, key.generation, forced | recursive]);
        self.flush();
    }

    pub(crate) fn hand_back(&mut self, key: Key) {
        self.hand_back_of((key, 0));
    }

    /// The same of an actor's.
    pub(crate) fn hand_back_of(&mut self, run: Run) {
        self.birth_record(op::HAND_BACK, run);
        self.flush();
    }

    /// The slot of a stream's next item.
    pub(crate) fn next_item(&mut self, stream: Key) -> Key {
        self.need_room(&[]);
        let item = self.mint();
        self.record(&[
            op::NEXT,
            stream.index,
            stream.generation,
            item.index,
            item.generation,
        ]);
        item
    }

    /// One item is taken.
    pub(crate) fn took(&mut self, stream: Key) {
        self.reserve(1, 0);
        self.record(&[op::TOOK, stream.index, stream.generation, 1]);
    }

    /// Asks for an item, takes it, and looks what it is.
    pub(crate) fn take_item(&mut self, stream: Key) -> (Key, Outcome) {
        let item = self.next_item(stream);
        self.took(stream);
        let outcome = self.fetch(&[item]).remove(0);
        (item, outcome)
    }

    /// Nobody asks for items any more.
    pub(crate) fn leave_stream(&mut self, stream: Key) {
        self.reserve(1, 0);
        self.record(&[op::CANCEL, stream.index, stream.generation, cancel::LEFT]);
        self.flush();
    }

    /// The run of a task yields its item of this number.
    pub(crate) fn yields(&mut self, key: Key, number: u32, bytes: &[u8], refs: &[Key]) {
        self.write_refs(refs);
        self.need_room(bytes);
        let [offset, len, object, generation] = self.place(bytes);
        let refs = refs.len() as u32;
        self.record(&[
            op::YIELD,
            key.index,
            key.generation,
            0,
            0,
            0,
            number,
            0,
            offset,
            len,
            0,
            refs,
            object,
            generation,
        ]);
    }

    /// How many items more the run may yield, which has yielded so many.
    pub(crate) fn room(&mut self, key: Key, yielded: u32) -> u32 {
        self.reserve(1, 0);
        self.record(&[op::ASK, key.index, key.generation, 0, 0, 0, yielded]);
        self.flush();
        self.header(header::ADMITTED)
    }

    /// Waits for all of them, or the first failure (`None`), or for so many.
    pub(crate) fn wait_for(&mut self, keys: &[Key], count: Option<u32>) -> u32 {
        let token = self.free_tokens.pop().unwrap_or(self.waits.len() as u32);
        if token as usize == self.waits.len() {
            self.waits.push(false);
        }
        self.waits[token as usize] = true;
        for keys in keys.chunks(TABLE_MAX) {
            let heap = self.write_keys(keys);
            self.record(&[op::KEYS, heap as u32, keys.len() as u32]);
        }
        self.reserve(1, 0);
        match count {
            None => self.record(&[op::GET, token]),
            Some(count) => self.record(&[op::WAIT, token, count]),
        }
        self.flush();
        token
    }

    pub(crate) fn get(&mut self, keys: &[Key]) -> u32 {
        self.wait_for(keys, None)
    }

    pub(crate) fn end_wait(&mut self, token: u32) {
        self.reserve(1, 0);
        self.record(&[op::END_WAIT, token]);
        self.flush();
    }

    /// The end of this wait has been dealt with: its token may be used again.
    pub(crate) fn forget(&mut self, token: u32) {
        self.free_tokens.push(token);
    }

    /// All completions there are.
    pub(crate) fn drain(&mut self) -> Vec<Completion> {
        let mut all = Vec::new();
        loop {
            self.port.drain(&mut self.area);
            let count = self.header(header::COMPLETIONS) as usize;
            for k in 0..count {
                let at = layout::COMPLETIONS_AT + k * layout::COMPLETION_BYTES;
                let token = record::word(&self.area, at);
                assert!(
                    std::mem::take(&mut self.waits[token as usize]),
                    "token {token} completed twice"
                );
                all.push((token, record::word(&self.area, at + 4)));
            }
            self.wanted += self.header(header::WANTED);
            record::set_header(&mut self.area, header::WANTED, 0);
            self.read_letters();
            if count < layout::COMPLETIONS_MAX {
                return all;
            }
        }
    }

    fn read_letters(&mut self) {
        for k in 0..self.header(header::LETTERS) as usize {
            let at = layout::LETTERS_AT + k * layout::LETTER_BYTES;
            let kind = record::word(&self.area, at);
            match kind {
                letter::CANCELLED | letter::TIMED_OUT => self.unwanted.push((
                    record::key_at(&self.area, at + 4),
                    kind == letter::TIMED_OUT,
                )),
                letter::RESUME => self.resumed.push(record::key_at(&self.area, at + 4)),
                letter::TERMINATE => self.doomed.push(record::word(&self.area, at + 4)),
                letter::DROP_ACTOR => self.dropped.push(record::key_at(&self.area, at + 4)),
                other => panic!("unknown letter {other}"),
            }
        }
    }

    /// Ends the round and reads the records of the next.
    pub(crate) fn next(&mut self) -> Vec<TaskRecord> {
        self.port.next(&mut self.area);
        self.crossed();
        (0..self.header(header::TASKS) as usize)
            .map(|k| self.task(k))
            .collect()
    }

    fn task(&self, k: usize) -> TaskRecord {
        let at = layout::TASKS_AT + k * layout::TASK_BYTES;
        let word = |n: usize| record::word(&self.area, at + 4 * n);
        let key = record::key_at(&self.area, at);
        let (place, depc, refc) = (word(3), word(8) as usize, word(6) as usize);
        let heap = |n: usize| layout::TASK_HEAP_AT + word(n) as usize;
        let (bytes, deps, refs) = if place == place::BULK {
            self.bulk(key, Which::Arguments, depc, refc)
        } else {
            let bytes = match place {
                place::HEAP => self.area[heap(4)..heap(4) + word(5) as usize].to_vec(),
                // Read before the record is begun, unlike JavaScript: somebody else may have run it by now.
                _ => self.view(key, Which::Arguments).unwrap_or_default(),
            };
            (
                bytes,
                record::refs_at(&self.area, heap(9), depc),
                record::refs_at(&self.area, heap(7), refc),
            )
        };
        let few = (10..).step_by(2).take(layout::DEPS_CARRIED_MAX);
        let carried = few
            .filter(|n| word(n + 1) > 0)
            .map(|n| self.area[heap(n)..heap(n) + word(n + 1) as usize].to_vec())
            .collect();
        let actor = record::key_at(&self.area, at + layout::TASK_ACTOR_AT);
        TaskRecord {
            actor: (actor.generation != 0).then_some(actor),
            birth: record::word(&self.area, at + layout::TASK_BIRTH_AT),
            carried,
            k,
            key,
            function: word(2),
            place,
            bytes,
            deps,
            refs,
        }
    }

    fn bulk(
        &self,
        key: Key,
        which: Which,
        deps: usize,
        refs: usize,
    ) -> (Vec<u8>, Vec<Key>, Vec<Key>) {
        let bulk = self.port.bulk(key, which).unwrap().expect("bytes");
        let tables = (deps + refs) * layout::REF_BYTES;
        let bytes = bulk[tables.next_multiple_of(64)..].to_vec();
        (
            bytes,
            record::refs_at(&bulk, 0, deps),
            record::refs_at(&bulk, deps * layout::REF_BYTES, refs),
        )
    }

    fn view(&self, key: Key, which: Which) -> Option<Vec<u8>> {
        let view = self.port.view(key, which).unwrap()?;
        // SAFETY: the view is open until the end of this function, and only this thread uses its address.
        Some(unsafe { std::slice::from_raw_parts(view.as_ptr(), view.len()) }.to_vec())
    }

    /// Begins a record of the round, as JavaScript does: one exchange on the shared words.
    pub(crate) fn begin(&self, k: usize) -> bool {
        let round = self.header(header::ROUND);
        let words = self.port.runtime().words();
        words.claims(self.port.place().unwrap())[k]
            .compare_exchange(
                round << 2 | OFFERED,
                round << 2 | CLAIMED,
                Ordering::SeqCst,
                Ordering::SeqCst,
            )
            .is_ok()
    }

    /// True if a record of the round was neither begun nor taken back.
    pub(crate) fn is_open(&self, k: usize) -> bool {
        let words = self.port.runtime().words();
        let word = &words.claims(self.port.place().unwrap())[k];
        word.load(Ordering::SeqCst) == self.header(header::ROUND) << 2 | OFFERED
    }

    /// True if records were written since the last crossing.
    pub(crate) fn has_unflushed(&self) -> bool {
        self.ops > 0
    }

    /// Takes a task out of its queue, to run it inside of a wait for it.
    pub(crate) fn take(&mut self, key: Key) -> Option<TaskRecord> {
        let taken = self.port.take(&mut self.area, key);
        self.crossed();
        taken.then(|| self.task(0))
    }

    /// What has become of these. Refs in values become handles of this isolate.
    pub(crate) fn fetch(&mut self, keys: &[Key]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while outcomes.len() < keys.len() {
            let asked =
                &keys[outcomes.len()..][..(keys.len() - outcomes.len()).min(layout::FETCH_MAX)];
            for (k, key) in asked.iter().enumerate() {
                let at = layout::FETCH_AT + k * layout::FETCH_BYTES;
                record::set_word(&mut self.area, at, key.index);
                record::set_word(&mut self.area, at + 4, key.generation);
            }
            record::set_header(&mut self.area, header::FETCH_ASKED, asked.len() as u32);
            record::set_header(&mut self.area, header::FETCH_STATES, 0);
            self.port.fetch(&mut self.area);
            self.crossed();
            let answered = self.header(header::FETCH_ANSWERED) as usize;
            assert!(answered > 0, "a fetch makes progress");
            let fresh: Vec<_> = (0..answered).map(|k| self.outcome(k, asked[k])).collect();
            for outcome in &fresh {
                if let Outcome::Value { refs, .. } | Outcome::Thrown { refs, .. } = outcome {
                    refs.iter().for_each(|key| self.retain(*key));
                }
            }
            outcomes.extend(fresh);
        }
        outcomes
    }

    fn outcome(&self, k: usize, key: Key) -> Outcome {
        let at = layout::FETCH_AT + k * layout::FETCH_BYTES;
        let word = |n: usize| record::word(&self.area, at + 4 * n);
        let heap = |n: usize| layout::FETCH_HEAP_AT + word(n) as usize;
        let text =
            || String::from_utf8(self.area[heap(2)..heap(2) + word(3) as usize].to_vec()).unwrap();
        let value = || {
            let refc = word(4) as usize;
            if word(1) == place::BULK {
                let (bytes, _, refs) = self.bulk(key, Which::Value, 0, refc);
                return (bytes, refs);
            }
            let bytes = match word(1) {
                place::HEAP => self.area[heap(2)..heap(2) + word(3) as usize].to_vec(),
                _ => self.view(key, Which::Value).expect("stored bytes"),
            };
            (bytes, record::refs_at(&self.area, heap(5), refc))
        };
        match word(0) {
            state::PENDING => Outcome::Pending,
            state::VALUE => {
                let (bytes, refs) = value();
                Outcome::Value { bytes, refs }
            }
            state::THROWN => {
                let (bytes, refs) = value();
                Outcome::Thrown { bytes, refs }
            }
            state::CRASHED => Outcome::Crashed {
                exit_code: word(7).checked_sub(1),
                text: text(),
            },
            state::SETUP => Outcome::Setup { text: text() },
            state::GONE => Outcome::Gone,
            state::FREED => Outcome::Freed,
            state::LOST => Outcome::Lost,
            state::END => Outcome::End,
            state::CANCELLED => Outcome::Cancelled,
            state::TIMED_OUT => Outcome::TimedOut {
                ms: u64::from(word(1)) | u64::from(word(2)) << 32,
            },
            state::ACTOR_DIED => Outcome::ActorDied { reason: word(7) },
            state::ACTOR_BROKEN => Outcome::ActorBroken { bytes: value().0 },
            state::ACTOR_UNAVAILABLE => Outcome::ActorUnavailable,
            other => panic!("unknown state {other}"),
        }
    }

    /// One look of a blocking wait; returns the reason in words of `layout`.
    pub(crate) fn park(&mut self, ms: u32) -> u32 {
        record::set_header(&mut self.area, header::PARK_MS, ms);
        self.port.park(&mut self.area);
        self.crossed();
        self.header(header::PARK_REASON)
    }

    pub(crate) fn resume(&mut self) -> u32 {
        self.port.resume(&mut self.area);
        self.header(header::PARK_REASON)
    }

    /// The thread ends, as with `process.exit(code)`.
    pub(crate) fn close(mut self, exit_code: Option<u32>, text: &str) {
        record::set_header(
            &mut self.area,
            header::EXIT_CODE,
            exit_code.map_or(0, |code| code + 1),
        );
        record::set_header(&mut self.area, header::EXIT_TEXT, text.len() as u32);
        self.area[layout::EXIT_TEXT_AT..layout::EXIT_TEXT_AT + text.len()]
            .copy_from_slice(text.as_bytes());
        self.port.close(Some(&mut self.area));
    }
}
