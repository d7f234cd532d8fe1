"""LLVM IR of the program driver and of the workers' loop: written once, the same for all programs.

A program is data (see :mod:`pellucid.backends.cpu.runtime`): regions of tasks of chunks.  The
driver runs the regions in order; in a parallel region the chunks are claimed by whoever comes.
Between the begin and the end of a loop they run again and again, while table entries move on.
A loop whose chunks do not need each other is a *strand*: a task whose chunk is all iterations of
it; so is one whose iterations do not need each other: there a chunk is some of the iterations.
A call of the host runs on the calling thread, between two regions; if it fails, the run is over.

**How chunks are claimed.**  The chunks 0 … total−1 of a region are cut into one contiguous range
per thread, as :mod:`pellucid.backends.cpu.runtime` laid them out; range t has a counter of the
chunks that nobody claimed yet.  A claim subtracts g atomically from a counter; the value before
it, if positive, says which chunks were taken: those from ``end_t − old`` on, at most g of them.  A
thread starts with its own range (which keeps its data in its own caches from region to region)
and then helps with the others; g is a quarter of what is left, so claims are few and the last
ones are small.

**Why a late thread does no harm.**  Nothing about a region is read before a claim succeeded, and
from then on the region cannot end, because the driver waits until the chunks that were finished
add up to the total.  A claim that comes too late finds a counter at or below zero, or, if the
next region has been published meanwhile, takes chunks of that region, which is as good.  The
driver never waits for a thread, only for chunks in progress; a thread that sleeps costs nothing.

**Subnormal numbers.**  Arithmetic on them takes some processors a hundred times as long.  The
driver sets the control word of floating-point arithmetic when a run begins, as the program's
header says (subnormal operands and results count as 0, or not), hands it to the others with each
region, and puts the caller's own word back in the end.  A worker takes the region's word over with
its claim and puts its own back before it parks: a chunk's bits do not depend on who runs it.

**Memory order.**  The driver writes what describes a region, then the counters with release
order; a claim reads its counter with acquire order; finished chunks are added with release order
and read with acquire order, so the driver sees all results, and so does everybody who claims
from a region published later.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pellucid.backends.cpu import records, strand_ir

POOL_EPOCH: Final = 0
POOL_REGION: Final = 8
POOL_TABLE: Final = 16
POOL_DONE: Final = 128
POOL_BUSY: Final = 256
POOL_EXIT: Final = 264
POOL_THREADS: Final = 272
POOL_YIELD: Final = 280
POOL_SLEEP: Final = 288
POOL_SLEEP_TIME: Final = 296
POOL_IDLE_POLLS: Final = 304
POOL_CONTROL: Final = 24
POOL_COUNTERS: Final = 384
POOL_COUNTER_STRIDE: Final = 128
"""Byte offsets in the pool's memory.  What is written at different times by different threads is
128 bytes apart: two cache lines, since processors fetch lines in pairs."""

RUN_NAME: Final = "pellucid_run"
STRAND_NAME: Final = "pellucid_strand"
SERIES_NAME: Final = "pellucid_series"
WORK_NAME: Final = "pellucid_work"
TICKS_NAME: Final = "pellucid_ticks"

YIELD_AFTER: Final = 1024
"""Polls (of some 20 to 50 ns) after which a waiting thread offers its core to others."""

SLEEP_AFTER: Final = 1 << 16
"""Polls after which a worker sleeps in short naps while a program runs a long serial region."""

_PAUSE = {
    "x86_64": ("declare void @llvm.x86.sse2.pause()", "call void @llvm.x86.sse2.pause()"),
    "aarch64": ("declare void @llvm.aarch64.isb(i32)", "call void @llvm.aarch64.isb(i32 15)"),
}

_CONTROL = {
    "x86_64": """
declare void @llvm.x86.sse.stmxcsr(ptr)
declare void @llvm.x86.sse.ldmxcsr(ptr)
define internal i64 @get_control() nounwind {
  %place = alloca i32, align 4
  call void @llvm.x86.sse.stmxcsr(ptr %place)
  %word = load i32, ptr %place, align 4
  %wide = zext i32 %word to i64
  ret i64 %wide
}
define internal void @set_control(i64 %wide) nounwind {
  %place = alloca i32, align 4
  %word = trunc i64 %wide to i32
  store i32 %word, ptr %place, align 4
  call void @llvm.x86.sse.ldmxcsr(ptr %place)
  ret void
}
""",
    "aarch64": """
declare i64 @llvm.aarch64.get.fpcr()
declare void @llvm.aarch64.set.fpcr(i64)
define internal i64 @get_control() nounwind {
  %word = call i64 @llvm.aarch64.get.fpcr()
  ret i64 %word
}
define internal void @set_control(i64 %word) nounwind {
  call void @llvm.aarch64.set.fpcr(i64 %word)
  ret void
}
""",
}
"""The control word of floating-point arithmetic: MXCSR, or FPCR."""

_NO_CONTROL = """
define internal i64 @get_control() nounwind {
  ret i64 0
}
define internal void @set_control(i64 %word) nounwind {
  ret void
}
"""
"""Of other processors: subnormal numbers stay what they are."""

FLUSH_BITS: Final = {"x86_64": 0x8040, "aarch64": 1 << 24}
"""MXCSR: flush to zero (bit 15) and denormals are zeros (bit 6).  FPCR: FZ (bit 24), which is both
for float32 and float64."""

_SHARE = """
; Claim and run chunks until nothing is left to claim; returns how many this thread ran.
define internal i64 @share(ptr %pool, i64 %me, i1 %report) nounwind {
entry:
  %threads.at = getelementptr i8, ptr %pool, i64 {POOL_THREADS}
  %done.at = getelementptr i8, ptr %pool, i64 {POOL_DONE}
  %threads = load i64, ptr %threads.at, align 8
  br label %range
range:
  %k = phi i64 [ 0, %entry ], [ %k.next, %leave ]
  %count = phi i64 [ 0, %entry ], [ %held, %leave ]
  %sum = add i64 %me, %k
  %wrapped = sub i64 %sum, %threads
  %below = icmp slt i64 %sum, %threads
  %t = select i1 %below, i64 %sum, i64 %wrapped
  %counter.step = mul i64 %t, {POOL_COUNTER_STRIDE}
  %counter.offset = add i64 %counter.step, {POOL_COUNTERS}
  %counter = getelementptr i8, ptr %pool, i64 %counter.offset
  br label %look
look:
  %ran = phi i64 [ 0, %range ], [ %ran.more, %run.done ]
  %left = load atomic i64, ptr %counter monotonic, align 8
  %any = icmp sgt i64 %left, 0
  br i1 %any, label %claim, label %finish
claim:
  %quarter = lshr i64 %left, 2
  %few = icmp eq i64 %quarter, 0
  %grain = select i1 %few, i64 1, i64 %quarter
  %old = atomicrmw sub ptr %counter, i64 %grain acquire
  %won = icmp sgt i64 %old, 0
  br i1 %won, label %run, label %finish
run:
  %control.at = getelementptr i8, ptr %pool, i64 {POOL_CONTROL}
  %control = load i64, ptr %control.at, align 8
  call void @set_control(i64 %control)
  %short = icmp slt i64 %old, %grain
  %size = select i1 %short, i64 %old, i64 %grain
  %region.at = getelementptr i8, ptr %pool, i64 {POOL_REGION}
  %table.at = getelementptr i8, ptr %pool, i64 {POOL_TABLE}
  %region = load ptr, ptr %region.at, align 8
  %table = load ptr, ptr %table.at, align 8
  %ends.at = getelementptr i8, ptr %region, i64 {REGION_ENDS}
  %ends = load ptr, ptr %ends.at, align 8
  %end.at = getelementptr i64, ptr %ends, i64 %t
  %end = load i64, ptr %end.at, align 8
  %first = sub i64 %end, %old
  %last = add i64 %first, %size
  %tasks.at = getelementptr i8, ptr %region, i64 {REGION_FIRST}
  %tasks = load ptr, ptr %tasks.at, align 8
  br label %task
task:
  ; chunks %from to %last - 1 are ours; this record has those from %before on
  %record = phi ptr [ %tasks, %run ], [ %record.next, %task.next ]
  %from = phi i64 [ %first, %run ], [ %from.next, %task.next ]
  %chunks.at = getelementptr i8, ptr %record, i64 {TASK_CHUNKS}
  %before.at = getelementptr i8, ptr %record, i64 {TASK_BEFORE}
  %chunks = load i64, ptr %chunks.at, align 8
  %before = load i64, ptr %before.at, align 8
  %begin = sub i64 %from, %before
  %here = icmp slt i64 %begin, %chunks
  br i1 %here, label %task.run, label %task.next
task.run:
  %want = sub i64 %last, %before
  %beyond = icmp slt i64 %want, %chunks
  %stop = select i1 %beyond, i64 %want, i64 %chunks
  %kernel = load ptr, ptr %record, align 8
  %slots.at = getelementptr i8, ptr %record, i64 {TASK_SLOTS}
  %slots = load ptr, ptr %slots.at, align 8
  %own.at = getelementptr i8, ptr %record, i64 {TASK_FIRST}
  %own = load i64, ptr %own.at, align 8
  %own.begin = add i64 %own, %begin
  %own.stop = add i64 %own, %stop
  call void %kernel(ptr %table, ptr %slots, i64 %own.begin, i64 %own.stop)
  %from.after = add i64 %before, %stop
  br label %task.next
task.next:
  %from.next = phi i64 [ %from, %task ], [ %from.after, %task.run ]
  %record.next = getelementptr i8, ptr %record, i64 {TASK_BYTES}
  %again = icmp slt i64 %from.next, %last
  br i1 %again, label %task, label %run.done
run.done:
  %ran.more = add i64 %ran, %size
  br label %look
finish:
  %held = add i64 %count, %ran
  %owes = icmp ne i64 %ran, 0
  %tell = and i1 %owes, %report
  br i1 %tell, label %add, label %leave
add:
  ; the last touch of the region: from here on it may end
  %ignored = atomicrmw add ptr %done.at, i64 %ran release
  br label %leave
leave:
  %k.next = add i64 %k, 1
  %scan = icmp slt i64 %k.next, %threads
  br i1 %scan, label %range, label %exit
exit:
  ret i64 %held
}
"""

_FORK_JOIN = """
; Publish a region, work along, and wait until every chunk is done.
define internal void @fork_join(ptr %pool, ptr %table, ptr %region, i64 %total, i64 %control)
    nounwind {
entry:
  %control.at = getelementptr i8, ptr %pool, i64 {POOL_CONTROL}
  store i64 %control, ptr %control.at, align 8
  %threads.at = getelementptr i8, ptr %pool, i64 {POOL_THREADS}
  %threads = load i64, ptr %threads.at, align 8
  %ends.at = getelementptr i8, ptr %region, i64 {REGION_ENDS}
  %ends = load ptr, ptr %ends.at, align 8
  %region.at = getelementptr i8, ptr %pool, i64 {POOL_REGION}
  store ptr %region, ptr %region.at, align 8
  %table.at = getelementptr i8, ptr %pool, i64 {POOL_TABLE}
  store ptr %table, ptr %table.at, align 8
  %done.at = getelementptr i8, ptr %pool, i64 {POOL_DONE}
  store atomic i64 0, ptr %done.at monotonic, align 8
  br label %publish
publish:
  %t = phi i64 [ 0, %entry ], [ %t.next, %publish ]
  %start = phi i64 [ 0, %entry ], [ %end, %publish ]
  %end.at = getelementptr i64, ptr %ends, i64 %t
  %end = load i64, ptr %end.at, align 8
  %size = sub i64 %end, %start
  %step = mul i64 %t, {POOL_COUNTER_STRIDE}
  %offset = add i64 %step, {POOL_COUNTERS}
  %counter = getelementptr i8, ptr %pool, i64 %offset
  store atomic i64 %size, ptr %counter release, align 8
  %t.next = add i64 %t, 1
  %more = icmp slt i64 %t.next, %threads
  br i1 %more, label %publish, label %go
go:
  %epoch = load atomic i64, ptr %pool monotonic, align 8
  %epoch.next = add i64 %epoch, 1
  store atomic i64 %epoch.next, ptr %pool release, align 8
  %mine = call i64 @share(ptr %pool, i64 0, i1 false)
  %others = sub i64 %total, %mine
  br label %wait
wait:
  %polls = phi i64 [ 0, %go ], [ %polls.next, %relax ]
  %done = load atomic i64, ptr %done.at acquire, align 8
  %all = icmp eq i64 %done, %others
  br i1 %all, label %exit, label %relax
relax:
  %polls.next = add i64 %polls, 1
  call void @relax(ptr %pool, i64 %polls)
  br label %wait
exit:
  ret void
}
"""

_RELAX = """
; One turn of a waiting loop: pause, and now and then let another thread have the core.
define internal void @relax(ptr %pool, i64 %polls) nounwind {
entry:
  {PAUSE}
  %low = and i64 %polls, 63
  %turn = icmp eq i64 %low, 63
  %long = icmp ugt i64 %polls, {YIELD_AFTER}
  %due = and i1 %turn, %long
  br i1 %due, label %ask, label %exit
ask:
  %yield.at = getelementptr i8, ptr %pool, i64 {POOL_YIELD}
  %yield = load ptr, ptr %yield.at, align 8
  %known = icmp ne ptr %yield, null
  br i1 %known, label %give, label %exit
give:
  %ignored = call i32 %yield()
  br label %exit
exit:
  ret void
}
"""

_RUN = """
; Run a program's steps; without a pool, or when another program has it, on this thread alone.
define i64 @{RUN_NAME}(ptr %program, ptr %pool, i64 %steps) nounwind {
entry:
  %table = load ptr, ptr %program, align 8
  %regions.at = getelementptr i8, ptr %program, i64 {PROGRAM_REGIONS}
  %regions = load ptr, ptr %regions.at, align 8
  %region.count.at = getelementptr i8, ptr %program, i64 {PROGRAM_REGION_COUNT}
  %region.count = load i64, ptr %region.count.at, align 8
  %regions.size = mul i64 %region.count, {REGION_BYTES}
  %regions.end = getelementptr i8, ptr %regions, i64 %regions.size
  %profile.at = getelementptr i8, ptr %program, i64 {PROGRAM_PROFILE}
  %profile = load ptr, ptr %profile.at, align 8
  %profiled = icmp ne ptr %profile, null
  %flush.at = getelementptr i8, ptr %program, i64 {PROGRAM_FLUSH}
  %flush.word = load ptr, ptr %flush.at, align 8
  %flush = load i64, ptr %flush.word, align 8
  %flushes = icmp ne i64 %flush, 0
  %control.before = call i64 @get_control()
  %control.on = or i64 %control.before, {FLUSH}
  %control.off = and i64 %control.before, {KEPT}
  %control = select i1 %flushes, i64 %control.on, i64 %control.off
  call void @set_control(i64 %control)
  %busy.at = getelementptr i8, ptr %pool, i64 {POOL_BUSY}
  %pooled = icmp ne ptr %pool, null
  br i1 %pooled, label %acquire, label %start
acquire:
  %pair = cmpxchg ptr %busy.at, i64 0, i64 1 acquire monotonic
  %got = extractvalue { i64, i1 } %pair, 1
  br label %start
start:
  %parallel = phi i1 [ false, %entry ], [ %got, %acquire ]
  br label %step
step:
  %s = phi i64 [ 0, %start ], [ %s.next, %step.done ]
  %s.more = icmp slt i64 %s, %steps
  br i1 %s.more, label %region.head, label %end
region.head:
  %region = phi ptr [ %regions, %step ], [ %region.next, %region.done ], [ %first.region, %turn ]
  %r.more = icmp ne ptr %region, %regions.end
  br i1 %r.more, label %region.start, label %strides
region.start:
  br i1 %profiled, label %clock.start, label %choose
clock.start:
  %ticks.0 = call i64 @llvm.{COUNTER}()
  br label %choose
choose:
  %since = phi i64 [ 0, %region.start ], [ %ticks.0, %clock.start ]
  %flag = load i64, ptr %region, align 8
  %looped = icmp ugt i64 %flag, 1
  br i1 %looped, label %loop, label %work
loop:
  %record.at = getelementptr i8, ptr %region, i64 {REGION_FIRST}
  %record = load ptr, ptr %record.at, align 8
  %hosted = icmp eq i64 %flag, 4
  br i1 %hosted, label %host, label %edge
host:
  ; Python's arithmetic is the caller's, and what fails ends the run before anything is overwritten
  %callback = load ptr, ptr %record, align 8
  %number.at = getelementptr i8, ptr %record, i64 {CALL_NUMBER}
  %number = load i64, ptr %number.at, align 8
  call void @set_control(i64 %control.before)
  %failed = call i64 %callback(i64 %number)
  call void @set_control(i64 %control)
  %fails = icmp ne i64 %failed, 0
  br i1 %fails, label %end, label %region.end
edge:
  %move.count.at = getelementptr i8, ptr %record, i64 {LOOP_MOVE_COUNT}
  %move.count = load i64, ptr %move.count.at, align 8
  %moves = getelementptr i8, ptr %record, i64 {LOOP_BYTES}
  %opens = icmp eq i64 %flag, 2
  br i1 %opens, label %open, label %close
open:
  %turns.at = getelementptr i8, ptr %record, i64 {LOOP_ITERATIONS}
  %turns = load i64, ptr %turns.at, align 8
  store i64 %turns, ptr %record, align 8
  br label %open.head
open.head:
  %o = phi i64 [ 0, %open ], [ %o.next, %open.move ]
  %o.more = icmp slt i64 %o, %move.count
  br i1 %o.more, label %open.move, label %region.end
open.move:
  %o.bytes = mul i64 %o, {MOVE_BYTES}
  %o.at = getelementptr i8, ptr %moves, i64 %o.bytes
  %o.entry = load i64, ptr %o.at, align 8
  %o.base.at = getelementptr i8, ptr %o.at, i64 {MOVE_BASE}
  %o.base = load i64, ptr %o.base.at, align 8
  %o.offset.at = getelementptr i8, ptr %o.at, i64 {MOVE_OFFSET}
  %o.offset = load i64, ptr %o.offset.at, align 8
  %o.source.at = getelementptr i64, ptr %table, i64 %o.base
  %o.source = load i64, ptr %o.source.at, align 8
  %o.address = add i64 %o.source, %o.offset
  %o.target.at = getelementptr i64, ptr %table, i64 %o.entry
  store i64 %o.address, ptr %o.target.at, align 8
  %o.next = add i64 %o, 1
  br label %open.head
close:
  %left = load i64, ptr %record, align 8
  %left.now = sub i64 %left, 1
  store i64 %left.now, ptr %record, align 8
  %again = icmp sgt i64 %left.now, 0
  br i1 %again, label %close.head, label %region.end
close.head:
  %c = phi i64 [ 0, %close ], [ %c.next, %close.move ]
  %c.more = icmp slt i64 %c, %move.count
  br i1 %c.more, label %close.move, label %turn
close.move:
  %c.bytes = mul i64 %c, {MOVE_BYTES}
  %c.at = getelementptr i8, ptr %moves, i64 %c.bytes
  %c.entry = load i64, ptr %c.at, align 8
  %c.step.at = getelementptr i8, ptr %c.at, i64 {MOVE_STEP}
  %c.step = load i64, ptr %c.step.at, align 8
  %c.target.at = getelementptr i64, ptr %table, i64 %c.entry
  %c.address = load i64, ptr %c.target.at, align 8
  %c.moved = add i64 %c.address, %c.step
  store i64 %c.moved, ptr %c.target.at, align 8
  %c.next = add i64 %c, 1
  br label %close.head
turn:
  %first.at = getelementptr i8, ptr %record, i64 {LOOP_FIRST_REGION}
  %first.region = load ptr, ptr %first.at, align 8
  br label %region.head
work:
  %shared = icmp ne i64 %flag, 0
  %fork = and i1 %shared, %parallel
  br i1 %fork, label %forked, label %serial
forked:
  %total.at = getelementptr i8, ptr %region, i64 {REGION_CHUNKS}
  %total = load i64, ptr %total.at, align 8
  call void @fork_join(ptr %pool, ptr %table, ptr %region, i64 %total, i64 %control)
  br label %region.end
serial:
  %tasks.at = getelementptr i8, ptr %region, i64 {REGION_FIRST}
  %tasks = load ptr, ptr %tasks.at, align 8
  %task.count.at = getelementptr i8, ptr %region, i64 {REGION_TASK_COUNT}
  %task.count = load i64, ptr %task.count.at, align 8
  br label %task.head
task.head:
  %n = phi i64 [ 0, %serial ], [ %n.next, %task.run ]
  %t.more = icmp slt i64 %n, %task.count
  br i1 %t.more, label %task.run, label %region.end
task.run:
  %task.offset = mul i64 %n, {TASK_BYTES}
  %task = getelementptr i8, ptr %tasks, i64 %task.offset
  %kernel = load ptr, ptr %task, align 8
  %slots.at = getelementptr i8, ptr %task, i64 {TASK_SLOTS}
  %slots = load ptr, ptr %slots.at, align 8
  %chunks.at = getelementptr i8, ptr %task, i64 {TASK_CHUNKS}
  %chunks = load i64, ptr %chunks.at, align 8
  %own.at = getelementptr i8, ptr %task, i64 {TASK_FIRST}
  %own = load i64, ptr %own.at, align 8
  %own.stop = add i64 %own, %chunks
  call void %kernel(ptr %table, ptr %slots, i64 %own, i64 %own.stop)
  %n.next = add i64 %n, 1
  br label %task.head
region.end:
  br i1 %profiled, label %clock.stop, label %region.done
clock.stop:
  %ticks.1 = call i64 @llvm.{COUNTER}()
  %passed = sub i64 %ticks.1, %since
  %region.int = ptrtoint ptr %region to i64
  %regions.int = ptrtoint ptr %regions to i64
  %region.offset = sub i64 %region.int, %regions.int
  %slot.offset = udiv i64 %region.offset, {REGION_WORDS}
  %slot = getelementptr i8, ptr %profile, i64 %slot.offset
  %spent = load i64, ptr %slot, align 8
  %spent.now = add i64 %spent, %passed
  store i64 %spent.now, ptr %slot, align 8
  br label %region.done
region.done:
  %region.next = getelementptr i8, ptr %region, i64 {REGION_BYTES}
  br label %region.head
strides:
  %strided.at = getelementptr i8, ptr %program, i64 {PROGRAM_STRIDED}
  %strided = load ptr, ptr %strided.at, align 8
  %strided.count.at = getelementptr i8, ptr %program, i64 {PROGRAM_STRIDED_COUNT}
  %strided.count = load i64, ptr %strided.count.at, align 8
  br label %stride.head
stride.head:
  %j = phi i64 [ 0, %strides ], [ %j.next, %stride ]
  %j.more = icmp slt i64 %j, %strided.count
  br i1 %j.more, label %stride, label %step.done
stride:
  %pair.offset = mul i64 %j, 16
  %index.at = getelementptr i8, ptr %strided, i64 %pair.offset
  %bytes.at = getelementptr i8, ptr %index.at, i64 8
  %index = load i64, ptr %index.at, align 8
  %bytes = load i64, ptr %bytes.at, align 8
  %entry.at = getelementptr i64, ptr %table, i64 %index
  %address = load i64, ptr %entry.at, align 8
  %address.next = add i64 %address, %bytes
  store i64 %address.next, ptr %entry.at, align 8
  %j.next = add i64 %j, 1
  br label %stride.head
step.done:
  %s.next = add i64 %s, 1
  br label %step
end:
  br i1 %parallel, label %release, label %exit
release:
  store atomic i64 0, ptr %busy.at release, align 8
  br label %exit
exit:
  call void @set_control(i64 %control.before)
  ret i64 0
}
"""

_WORK = """
; A worker's life in native code; returns 0 when it should park and 1 when it should end.
define i64 @{WORK_NAME}(ptr %pool, i64 %me) nounwind {
entry:
  %exit.at = getelementptr i8, ptr %pool, i64 {POOL_EXIT}
  %busy.at = getelementptr i8, ptr %pool, i64 {POOL_BUSY}
  %idle.at = getelementptr i8, ptr %pool, i64 {POOL_IDLE_POLLS}
  %idle.polls = load i64, ptr %idle.at, align 8
  %control.before = call i64 @get_control()
  br label %look
look:
  %last = phi i64 [ -1, %entry ], [ %epoch, %help ], [ %last, %relax ], [ %last, %nap ]
  %polls = phi i64 [ 0, %entry ], [ 0, %help ], [ %polls.next, %relax ], [ %polls.next, %nap ]
  %epoch = load atomic i64, ptr %pool acquire, align 8
  %news = icmp ne i64 %epoch, %last
  br i1 %news, label %help, label %idle
help:
  %ignored = call i64 @share(ptr %pool, i64 %me, i1 true)
  br label %look
idle:
  %polls.next = add i64 %polls, 1
  %exiting = load atomic i64, ptr %exit.at monotonic, align 8
  %leave = icmp ne i64 %exiting, 0
  br i1 %leave, label %end, label %check
check:
  %busy = load atomic i64, ptr %busy.at monotonic, align 8
  %active = icmp ne i64 %busy, 0
  %tired = icmp ugt i64 %polls, %idle.polls
  br i1 %active, label %stay, label %rest
rest:
  br i1 %tired, label %park, label %relax
stay:
  %bored = icmp ugt i64 %polls, {SLEEP_AFTER}
  br i1 %bored, label %sleepy, label %relax
sleepy:
  %sleep.at = getelementptr i8, ptr %pool, i64 {POOL_SLEEP}
  %sleep = load ptr, ptr %sleep.at, align 8
  %known = icmp ne ptr %sleep, null
  br i1 %known, label %nap, label %relax
nap:
  %time.at = getelementptr i8, ptr %pool, i64 {POOL_SLEEP_TIME}
  %time = load i32, ptr %time.at, align 8
  %slept = call i32 %sleep(i32 %time)
  br label %look
relax:
  call void @relax(ptr %pool, i64 %polls)
  br label %look
park:
  call void @set_control(i64 %control.before)
  ret i64 0
end:
  call void @set_control(i64 %control.before)
  ret i64 1
}
"""

_TICKS = """
; The clock that profiles are measured with.
define i64 @{TICKS_NAME}() nounwind {
  %ticks = call i64 @llvm.{COUNTER}()
  ret i64 %ticks
}
"""


def family_of(architecture: str) -> str:
    """One name for an architecture that is known under several."""
    return {"amd64": "x86_64", "arm64": "aarch64"}.get(architecture, architecture)


def driver_kernels(architecture: str) -> dict[str, str]:
    """Name → IR text of the driver, the workers' loop and the clock, for one architecture.

    ``architecture`` is the first part of an LLVM triple; on x86-64 and AArch64 waiting loops use
    the processor's pause instruction.  Signatures::

        i64 pellucid_run(ptr program, ptr pool or null, i64 steps)
        i64 pellucid_work(ptr pool, i64 index of the worker, from 1)
        void pellucid_strand(ptr table, ptr record, i64 begin, i64 end)
        void pellucid_series(ptr table, ptr record, i64 begin, i64 end)
        i64 pellucid_ticks()
    """
    family = family_of(architecture)
    declaration, pause = _PAUSE.get(family, ("", ""))
    # AArch64 keeps user programs from reading the cycle counter, but not the steady one.
    counter = "readcyclecounter" if family == "x86_64" else "readsteadycounter"
    fields: dict[str, Any] = {n: value for n, value in globals().items() if n.isupper()}
    for record in records.ALL:
        fields |= record.offsets()
    fields |= {"PAUSE": pause, "COUNTER": counter, "REGION_WORDS": len(records.REGION.fields)}
    bits = FLUSH_BITS.get(family, 0)
    fields |= {"FLUSH": bits, "KEPT": ~bits}
    clock = f"declare i64 @llvm.{counter}()\n"

    def text(*parts: str) -> str:
        return re.sub(r"\{([A-Z_]+)\}", lambda found: str(fields[found[1]]), "".join(parts))

    shared = (declaration + "\n", _CONTROL.get(family, _NO_CONTROL), _RELAX, _SHARE)
    return {
        RUN_NAME: text(*shared, _FORK_JOIN, clock, _RUN),
        WORK_NAME: text(*shared, _WORK),
        STRAND_NAME: text(strand_ir.CHUNK, strand_ir.STRAND),
        SERIES_NAME: text(strand_ir.CHUNK, strand_ir.SERIES),
        TICKS_NAME: text(clock, _TICKS),
    }
