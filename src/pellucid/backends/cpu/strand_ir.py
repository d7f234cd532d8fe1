"""LLVM IR of strands and series: parts of :mod:`.runtime_ir`, with its places for offsets."""

from __future__ import annotations

from typing import Final

CHUNK: Final = """
; A chunk of a strand: all turns of its tasks, on a table of its own whose entries move on.
define internal void @strand_chunk(ptr %table, ptr %record, i64 %c, i64 %place, i64 %round)
    nounwind {
entry:
  %turns = load i64, ptr %record, align 8
  %entries.at = getelementptr i8, ptr %record, i64 {STRAND_ENTRY_COUNT}
  %entries = load i64, ptr %entries.at, align 8
  %tasks.at = getelementptr i8, ptr %record, i64 {STRAND_TASK_COUNT}
  %tasks = load i64, ptr %tasks.at, align 8
  %whole.at = getelementptr i8, ptr %record, i64 {STRAND_WHOLE}
  %whole.flag = load i64, ptr %whole.at, align 8
  %whole = icmp ne i64 %whole.flag, 0
  %first.entry = getelementptr i8, ptr %record, i64 {STRAND_BYTES}
  %entries.size = mul i64 %entries, {ENTRY_BYTES}
  %first.task = getelementptr i8, ptr %first.entry, i64 %entries.size
  %own = alloca i64, i64 %entries, align 64
  %c.next = add i64 %c, 1
  %away = sub i64 %place, %c
  br label %fill
fill:
  %e = phi i64 [ 0, %entry ], [ %e.next, %fill.one ]
  %e.more = icmp slt i64 %e, %entries
  br i1 %e.more, label %fill.one, label %turn
fill.one:
  %e.offset = mul i64 %e, {ENTRY_BYTES}
  %e.at = getelementptr i8, ptr %first.entry, i64 %e.offset
  %e.slot = load i64, ptr %e.at, align 8
  %e.from = getelementptr i64, ptr %table, i64 %e.slot
  %e.source = load i64, ptr %e.from, align 8
  %e.shift.at = getelementptr i8, ptr %e.at, i64 {ENTRY_SHIFT}
  %e.shift = load i64, ptr %e.shift.at, align 8
  %e.moved = mul i64 %e.shift, %c
  %e.start = add i64 %e.source, %e.moved
  %e.round.at = getelementptr i8, ptr %e.at, i64 {ENTRY_ROUND}
  %e.round = load i64, ptr %e.round.at, align 8
  %e.on = mul i64 %e.round, %round
  %e.begin = add i64 %e.start, %e.on
  %e.size.at = getelementptr i8, ptr %e.at, i64 {ENTRY_LOCAL}
  %e.size = load i64, ptr %e.size.at, align 8
  %e.back = mul i64 %e.size, %away
  %e.address = add i64 %e.begin, %e.back
  %e.to = getelementptr i64, ptr %own, i64 %e
  store i64 %e.address, ptr %e.to, align 8
  %e.next = add i64 %e, 1
  br label %fill
turn:
  %t = phi i64 [ 0, %fill ], [ %t.next, %turn.done ]
  %t.more = icmp slt i64 %t, %turns
  br i1 %t.more, label %task, label %done
task:
  %n = phi i64 [ 0, %turn ], [ %n.next, %task.run ]
  %n.more = icmp slt i64 %n, %tasks
  br i1 %n.more, label %task.run, label %move
task.run:
  %n.offset = mul i64 %n, {STRAND_TASK_BYTES}
  %n.at = getelementptr i8, ptr %first.task, i64 %n.offset
  %kernel = load ptr, ptr %n.at, align 8
  %slots.at = getelementptr i8, ptr %n.at, i64 {STRAND_TASK_SLOTS}
  %slots = load ptr, ptr %slots.at, align 8
  %chunks.at = getelementptr i8, ptr %n.at, i64 {STRAND_TASK_CHUNKS}
  %chunks = load i64, ptr %chunks.at, align 8
  %from = select i1 %whole, i64 0, i64 %c
  %to = select i1 %whole, i64 %chunks, i64 %c.next
  call void %kernel(ptr %own, ptr %slots, i64 %from, i64 %to)
  %n.next = add i64 %n, 1
  br label %task
move:
  %m = phi i64 [ 0, %task ], [ %m.next, %move.one ]
  %m.more = icmp slt i64 %m, %entries
  br i1 %m.more, label %move.one, label %turn.done
move.one:
  %m.offset = mul i64 %m, {ENTRY_BYTES}
  %m.at = getelementptr i8, ptr %first.entry, i64 %m.offset
  %m.step.at = getelementptr i8, ptr %m.at, i64 {ENTRY_STEP}
  %m.step = load i64, ptr %m.step.at, align 8
  %m.place = getelementptr i64, ptr %own, i64 %m
  %m.address = load i64, ptr %m.place, align 8
  %m.moved = add i64 %m.address, %m.step
  store i64 %m.moved, ptr %m.place, align 8
  %m.next = add i64 %m, 1
  br label %move
turn.done:
  %t.next = add i64 %t, 1
  br label %turn
done:
  ret void
}

; A place for local values, which no other chunk reads: that of the thread that began with these
; chunks, if nobody is there, so that few places are written again and again and stay in its cache.
; Returns its bit in the word of places in use.
define internal i64 @take_place(ptr %used.at, i64 %begin, i64 %threads, i64 %all) nounwind {
entry:
  %scaled = mul i64 %begin, %threads
  %usual = udiv i64 %scaled, %all
  %usual.bit = shl i64 1, %usual
  %first.used = load atomic i64, ptr %used.at monotonic, align 8
  br label %try
try:
  %used = phi i64 [ %first.used, %entry ], [ %now, %try ]
  %usual.used = and i64 %used, %usual.bit
  %usual.free = icmp eq i64 %usual.used, 0
  %unused = xor i64 %used, -1
  %negative = sub i64 0, %unused
  %lowest.bit = and i64 %unused, %negative
  %bit = select i1 %usual.free, i64 %usual.bit, i64 %lowest.bit
  %with = or i64 %used, %bit
  %pair = cmpxchg ptr %used.at, i64 %used, i64 %with acquire monotonic
  %now = extractvalue { i64, i1 } %pair, 0
  %same = extractvalue { i64, i1 } %pair, 1
  %some = icmp ne i64 %bit, 0
  %taken = and i1 %same, %some
  br i1 %taken, label %exit, label %try
exit:
  ret i64 %bit
}
declare i64 @llvm.cttz.i64(i64, i1)
"""

STRAND: Final = """
; Some chunks of a strand, one after the other, so that a chunk finds in the caches what it wrote.
; It is called like a kernel, with its record in place of slots.  Local values stand at the place of
; another chunk.
define void @{STRAND_NAME}(ptr %table, ptr %record, i64 %begin, i64 %end) nounwind {
entry:
  %threads.at = getelementptr i8, ptr %record, i64 {STRAND_THREADS}
  %threads = load i64, ptr %threads.at, align 8
  %all.at = getelementptr i8, ptr %record, i64 {STRAND_CHUNKS}
  %all = load i64, ptr %all.at, align 8
  %used.at = getelementptr i8, ptr %record, i64 {STRAND_USED}
  %local = icmp ne i64 %threads, 0
  br i1 %local, label %take, label %chunk
take:
  %bit = call i64 @take_place(ptr %used.at, i64 %begin, i64 %threads, i64 %all)
  br label %chunk
chunk:
  %c = phi i64 [ %begin, %entry ], [ %begin, %take ], [ %c.next, %one ]
  %held = phi i64 [ 0, %entry ], [ %bit, %take ], [ %held, %one ]
  %c.next = add i64 %c, 1
  %c.more = icmp slt i64 %c, %end
  br i1 %c.more, label %one, label %exit
one:
  %place = call i64 @llvm.cttz.i64(i64 %held, i1 false)
  call void @strand_chunk(ptr %table, ptr %record, i64 %c, i64 %place, i64 0)
  br label %chunk
exit:
  br i1 %local, label %give, label %done
give:
  %others = xor i64 %held, -1
  %ignored = atomicrmw and ptr %used.at, i64 %others release
  br label %done
done:
  ret void
}
"""

SERIES: Final = """
; Some chunks of a series: for each of them, in each round, all strands, one after the other, so
; that a strand finds in the caches what the one before it wrote.  It is called like a kernel, with
; its record in place of slots.
define void @{SERIES_NAME}(ptr %table, ptr %record, i64 %begin, i64 %end) nounwind {
entry:
  %count = load i64, ptr %record, align 8
  %rounds.at = getelementptr i8, ptr %record, i64 {SERIES_ROUNDS}
  %rounds = load i64, ptr %rounds.at, align 8
  %threads.at = getelementptr i8, ptr %record, i64 {SERIES_THREADS}
  %threads = load i64, ptr %threads.at, align 8
  %all.at = getelementptr i8, ptr %record, i64 {SERIES_CHUNKS}
  %all = load i64, ptr %all.at, align 8
  %used.at = getelementptr i8, ptr %record, i64 {SERIES_USED}
  %first = getelementptr i8, ptr %record, i64 {SERIES_BYTES}
  %bit = call i64 @take_place(ptr %used.at, i64 %begin, i64 %threads, i64 %all)
  %place = call i64 @llvm.cttz.i64(i64 %bit, i1 false)
  br label %chunk
chunk:
  %c = phi i64 [ %begin, %entry ], [ %c.next, %round ]
  %c.next = add i64 %c, 1
  %c.more = icmp slt i64 %c, %end
  br i1 %c.more, label %round, label %exit
round:
  %r = phi i64 [ 0, %chunk ], [ %r.next, %each ]
  %r.next = add i64 %r, 1
  %r.more = icmp slt i64 %r, %rounds
  br i1 %r.more, label %each, label %chunk
each:
  %n = phi i64 [ 0, %round ], [ %n.next, %run ]
  %n.more = icmp slt i64 %n, %count
  br i1 %n.more, label %run, label %round
run:
  %n.at = getelementptr ptr, ptr %first, i64 %n
  %one = load ptr, ptr %n.at, align 8
  call void @strand_chunk(ptr %table, ptr %one, i64 %c, i64 %place, i64 %r)
  %n.next = add i64 %n, 1
  br label %each
exit:
  %others = xor i64 %bit, -1
  %ignored = atomicrmw and ptr %used.at, i64 %others release
  ret void
}
"""
