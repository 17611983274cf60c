//! Whatever happens, the times of a request add up, and so does what all have lost.

use super::*;

#[test]
fn all_times_add_up_whatever_happens() {
    const ROUTES: [&str; 6] = ["/0", "/1", "/2", "/3", "/4", "/5"];
    let mut scene = Scene::new(|_| ());
    let worker = scene.worker();
    let (mut open, mut polled) = ([false; ROUTES.len()], [false; ROUTES.len()]);
    // Knuth's generator: the same scene at each run.
    let mut random = 7_u64;
    let mut next = |most: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005);
        random = random.wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(random >> 33).expect("31 bits") % most
    };
    let mut ended = Vec::new();
    for _ in 0..6_000 {
        let one = next(ROUTES.len());
        let route = ROUTES[one];
        match next(14) {
            0..=2 => {
                worker.waits(route);
                (open[one], polled[one]) = (true, true);
            }
            3 => {
                worker.sends(route);
                (open[one], polled[one]) = (true, true);
            }
            4 => {
                worker.ends_request(route);
                (open[one], polled[one]) = (false, true);
            }
            5 if open[one] => {
                worker.drops(route);
                open[one] = false;
            }
            // A waker may be kept longer than its request.
            6 | 7 if polled[one] => worker.wakes(route),
            8 if polled[one] => worker.wakes_from_outside(route),
            9 => worker.looked(),
            10 => worker.iterate(),
            11 => scene.pass(next(40) as u64),
            12 if open[one] => scene.works_and_waits(&worker, route, next(60) as u64),
            12 => drop(scene.shared.look(false, None)),
            13 => {
                worker.enter(route);
                open[one] = true;
                scene.pass(next(150) as u64);
                let other = next(ROUTES.len());
                if polled[other] {
                    worker.wakes(ROUTES[other]);
                }
                scene.advance(next(20) as u64);
                worker.leave();
            }
            _ => {}
        }
        ended.extend(scene.ended());
    }
    let (mut lost, mut losers) = (Duration::ZERO, 0);
    for (route, age, spent) in &ended {
        assert_eq!(
            spent.running + spent.waiting + spent.held_up,
            *age,
            "{route}"
        );
        let by: Duration = spent.by.iter().map(|blame| blame.held_up).sum();
        assert_eq!(by, spent.held_up, "{route}");
        lost += by;
        losers += usize::from(!by.is_zero());
    }
    assert!(
        ended.len() > 500 && losers > 100,
        "{losers} of {}",
        ended.len()
    );
    let victims = scene.shared.losses.victims();
    assert_eq!(
        victims
            .iter()
            .map(|victim| victim.held_up)
            .sum::<Duration>(),
        lost
    );
}
