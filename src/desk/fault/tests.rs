//! Faults as they are spelt, well and badly.

use super::*;
use proptest::prelude::*;

fn read(text: &str) -> FaultSpec {
    FaultSpec::parse(text).unwrap_or_else(|why| panic!("{text:?}: {why}"))
}

fn told(text: &str) -> String {
    match FaultSpec::parse(text) {
        Ok(spec) => panic!("{text:?} is {spec}"),
        Err(why) => why.to_string(),
    }
}

#[test]
fn each_word_is_read_as_documented_and_spelt_in_one_way() {
    for (text, spelt) in [
        ("latency=200ms", "out:latency=200ms"),
        ("out:latency=1000ms,50ms", "out:latency=1s,50ms"),
        ("in:latency=0s,0ms", "in:latency=0s"),
        ("bandwidth=10240", "out:bandwidth=10K"),
        ("bandwidth=10k", "out:bandwidth=10K"),
        ("in:bandwidth=1024G", "in:bandwidth=1024G"),
        ("slicer=1", "out:slicer=1"),
        ("in:slicer=1,5ms", "in:slicer=1,5ms"),
        ("limit_data=0", "out:limit_data=0"),
        ("limit_data=1000,rst", "out:limit_data=1000,rst"),
        ("reset_peer", "reset_peer"),
        ("reset_peer=0s", "reset_peer"),
        ("reset_peer=5s", "reset_peer=5s"),
        ("slow_close=2s", "slow_close=2s"),
        ("no_close", "no_close"),
        ("blackhole", "out:blackhole"),
        ("in:blackhole=5s", "in:blackhole=5s"),
        ("stall", "stall"),
        ("in:stall out:stall", "stall"),
        ("in:stall", "in:stall"),
        ("out:stall", "out:stall"),
        ("corrupt=0.001", "out:corrupt=0.001"),
        ("corrupt=.5", "out:corrupt=0.5"),
        ("down", "down"),
        ("down toxicity=0.10 seed=007", "down toxicity=0.1 seed=7"),
        ("for=30s stall", "stall for=30s"),
        ("for=60s stall", "stall for=60s"),
        ("for=24h stall", "stall for=24h"),
        ("for=7200s stall", "stall for=2h"),
        ("  in:stall\t bandwidth=10K ", "out:bandwidth=10K in:stall"),
        ("latency=1s in:latency=2s", "out:latency=1s in:latency=2s"),
    ] {
        assert_eq!(read(text).to_string(), spelt, "{text:?}");
    }
    let Faults { outbound, inbound, .. } = read("stall").faults;
    assert!(outbound.stall && inbound.stall);
}

#[test]
fn a_mistake_names_the_word_and_what_would_be_right() {
    let all = "There are latency, bandwidth, slicer, limit_data, blackhole, stall, corrupt, reset_peer, \
               slow_close, no_close, down, toxicity, seed, for";
    for (text, words) in [
        ("", "no fault is named: write words such as latency=200ms in:stall, or off".to_owned()),
        ("latncy=5s", format!("unknown fault \"latncy\": is it latency? {all}")),
        ("out:stal", format!("unknown fault \"stal\": is it stall? {all}")),
        ("loss=1", format!("unknown fault \"loss\": {all}")),
        ("up:stall", format!("unknown fault \"up:stall\": {all}")),
        ("out:", format!("unknown fault \"\": {all}")),
        ("in:down", "down is about the whole connection: it takes neither out: nor in:".into()),
        ("out:for=5s", "for is about the whole connection: it takes neither out: nor in:".into()),
        (
            "latency=1s out:latency=2s",
            "latency is there twice: each word stands once for each direction".into(),
        ),
        ("stall in:stall", "stall is there twice: each word stands once for each direction".into()),
        ("slow_close=1s no_close", "slow_close and no_close exclude each other".into()),
        ("off stall", "off stands alone: it ends all that is broken".into()),
        (
            "bandwidth=0",
            "cannot read \"bandwidth=0\": it is written bandwidth=10K, in bytes a second, 1 to 1024G".into(),
        ),
        (
            "seed=-1",
            "cannot read \"seed=-1\": it is written seed=7, a whole number below 2 to the 64th".into(),
        ),
    ] {
        assert_eq!(told(text), words, "{text:?}");
    }
    assert!(told(&"x".repeat(100_000)).len() < 250, "what is long is never repeated whole");
}

#[test]
fn a_value_out_of_its_range_or_none_at_all_is_a_mistake() {
    for text in [
        "latency",
        "latency=",
        "latency=5",
        "latency=-5s",
        "latency=25h",
        "latency=99999999999999999999h",
        "latency=1s,",
        "latency=1s,2s,3s",
        "latency=,1s",
        "bandwidth",
        "bandwidth=1025G",
        "bandwidth=1.5K",
        "bandwidth=10KB",
        "slicer=0",
        "slicer=2G",
        "slicer=1,rst",
        "limit_data",
        "limit_data=5,",
        "limit_data=5,fin",
        "limit_data=-1",
        "reset_peer=",
        "reset_peer=5",
        "slow_close",
        "no_close=1s",
        "blackhole=x",
        "stall=1",
        "stall=",
        "corrupt",
        "corrupt=1.1",
        "corrupt=-0.1",
        "corrupt=0.1%",
        "corrupt=1e-3",
        "corrupt=nan",
        "corrupt=.",
        "corrupt=",
        "down=1",
        "toxicity=2",
        "toxicity",
        "seed",
        "seed=",
        "seed=+1",
        "seed=18446744073709551616",
        "for",
        "for=0s",
        "for=86401s",
    ] {
        assert!(told(text).starts_with(&format!("cannot read {text:?}: it is written ")), "{}", told(text));
    }
}

#[test]
fn what_is_added_replaces_the_same_word_and_leaves_the_others() {
    let mut spec = read("latency=1s in:stall for=5s slow_close=1s");

    spec.add(&read("latency=2s bandwidth=1K no_close"));

    assert_eq!(spec.to_string(), "out:latency=2s out:bandwidth=1K in:stall no_close for=5s");
    assert_eq!(spec.of_newcomers_only(), None);
    assert_eq!(read("stall seed=1").of_newcomers_only(), Some("seed"));
    assert!(read("for=5s toxicity=1 seed=1").breaks_nothing() && !read("down").breaks_nothing());
}

fn time_of() -> impl Strategy<Value = Duration> {
    prop_oneof![Just(0), 0..=86_400_000u64, (0..=86_400u64).prop_map(|seconds| seconds * 1000)]
        .prop_map(Duration::from_millis)
}

fn bytes_up_to(most: u64) -> impl Strategy<Value = u64> {
    prop_oneof![0..=most, (0..=30u32, 0..=1024u64).prop_map(move |(shift, count)| (count << shift).min(most))]
}

fn way() -> impl Strategy<Value = Way> {
    use proptest::option::of;
    let latency = of((time_of(), time_of()).prop_map(|(delay, jitter)| Latency { delay, jitter }));
    let bandwidth = of(bytes_up_to(BYTES_MAX).prop_map(|bytes| NonZeroU64::new(bytes.max(1)).unwrap()));
    let slicer = of((bytes_up_to(PIECE_BYTES_MAX), time_of()).prop_map(|(bytes, pause)| Slicer {
        bytes: NonZeroUsize::new(bytes.max(1) as usize).unwrap(),
        pause,
    }));
    let limit_data =
        of((bytes_up_to(BYTES_MAX), any::<bool>()).prop_map(|(bytes, resets)| LimitData { bytes, resets }));
    let blackhole = of(of(time_of()).prop_map(|closes_after| Blackhole { closes_after }));
    (latency, bandwidth, slicer, limit_data, blackhole, any::<bool>(), of(0.0..=1.0f64)).prop_map(
        |(latency, bandwidth, slicer, limit_data, blackhole, stall, corrupt)| Way {
            latency,
            bandwidth,
            slicer,
            limit_data,
            blackhole,
            stall,
            corrupt,
        },
    )
}

fn spec() -> impl Strategy<Value = FaultSpec> {
    use proptest::option::of;
    let close = of(prop_oneof![time_of().prop_map(CloseFault::Slow), Just(CloseFault::Never)]);
    let faults = (way(), way(), of(time_of()), close)
        .prop_map(|(outbound, inbound, reset_peer, close)| Faults { outbound, inbound, reset_peer, close });
    let lasts = of(time_of().prop_map(|lasts| lasts.max(Duration::from_millis(1))));
    (faults, lasts, any::<bool>(), of(0.0..=1.0f64), of(any::<u64>()))
        .prop_map(|(faults, lasts, down, toxicity, seed)| FaultSpec { faults, lasts, down, toxicity, seed })
}

proptest! {
    #[test]
    fn whatever_is_spelt_reads_back(spec in spec()) {
        let spelt = spec.to_string();
        match FaultSpec::parse(&spelt) {
            Err(BadFault::Nothing) => prop_assert!(spelt.is_empty() && spec == FaultSpec::default()),
            read => prop_assert_eq!(read, Ok(spec), "{}", spelt),
        }
    }

    #[test]
    fn any_text_is_faults_or_a_mistake_of_one_line(text in "\\PC{0,40}|((in:|out:)?[a-z_]{1,6}=?[0-9a-zA-Z,.]{0,5} ?){0,4}|[\\x00-\\x7f]{0,20}") {
        if let Err(why) = FaultSpec::parse(&text) {
            prop_assert!(!why.to_string().contains('\n'));
        }
    }
}
