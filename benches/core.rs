//! The pure parts: what one line costs in the framer, in the outbox and in the renderer.
#![allow(missing_docs)] // criterion's macros make public items
#![allow(clippy::unwrap_used)] // a bench that cannot go on may panic

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use switchboard::desk::text::{push_human, push_tsv};
use switchboard::internals::{Outbox, cut_lines};

const LINES: usize = 1000;

type Spelling = fn(&mut Vec<u8>, &[u8]);

fn lines(line: &str) -> Vec<u8> {
    format!("{line}\n").repeat(LINES).into_bytes()
}

fn sixty_four() -> String {
    "a line of sixty-four bytes, its line ending included, as it is.".into()
}

fn framing(c: &mut Criterion) {
    let mut group = c.benchmark_group("framing");
    group.throughput(Throughput::Elements(LINES as u64));
    let bytes = lines(&sixty_four());
    group.bench_function("64-byte lines in one read", |b| {
        b.iter(|| {
            let mut tail = Vec::new();
            cut_lines(&mut tail, black_box(&bytes), 64 << 10, |frame| {
                black_box(frame);
            });
        });
    });
    group.bench_function("64-byte lines in reads of 50", |b| {
        b.iter(|| {
            let mut tail = Vec::new();
            for read in black_box(&bytes).chunks(50) {
                cut_lines(&mut tail, read, 64 << 10, |frame| {
                    black_box(frame);
                });
            }
        });
    });
    group.finish();

    let mut group = c.benchmark_group("a 64 KiB line");
    let long = vec![b'x'; 64 << 10];
    group.throughput(Throughput::Bytes(long.len() as u64));
    for read in [1, 64 << 10] {
        group.bench_function(format!("in reads of {read}"), |b| {
            b.iter(|| {
                let mut tail = Vec::new();
                for read in black_box(&long).chunks(read) {
                    cut_lines(&mut tail, read, 64 << 10, |frame| {
                        black_box(frame);
                    });
                }
            });
        });
    }
    group.finish();
}

fn outbox(c: &mut Criterion) {
    let mut group = c.benchmark_group("outbox");
    group.throughput(Throughput::Elements(LINES as u64));
    let line = sixty_four();
    group.bench_function("queue and send 64 bytes", |b| {
        let mut outbox = Outbox::default();
        b.iter(|| {
            for _ in 0..LINES {
                outbox.push(black_box(line.as_bytes()));
                outbox.sent(64);
            }
        });
    });
    group.bench_function("queue 64 bytes behind others", |b| {
        b.iter(|| {
            let mut outbox = Outbox::default();
            for _ in 0..LINES {
                outbox.push(black_box(line.as_bytes()));
            }
            outbox
        });
    });
    group.finish();
}

fn render(c: &mut Criterion) {
    let mut group = c.benchmark_group("render");
    for (name, line) in [
        ("ASCII", sixty_four()),
        ("Chinese", "你好，世界。这是一行二十一个字的文本内容。".into()),
        ("hostile", "\u{1b}]0;title\u{7}\u{202e}\\x1b\r".repeat(4)),
    ] {
        group.throughput(Throughput::Bytes(line.len() as u64));
        for (spelling, push) in [("human", push_human as Spelling), ("tsv", push_tsv)] {
            group.bench_function(format!("{name} as {spelling}"), |b| {
                let mut out = Vec::new();
                b.iter(|| {
                    out.clear();
                    push(&mut out, black_box(line.as_bytes()));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, framing, outbox, render);
criterion_main!(benches);
