//! A server on which no request is open.

use super::*;

/// Long enough that the watch looks seldom by then.
const IDLE: Duration = Duration::from_millis(700);

#[test]
fn a_task_that_blocks_long_after_the_last_request_is_a_hold_with_its_line() {
    let watch = Watch::new();
    let (release, released) = mpsc::channel::<()>();
    let released = Arc::new(Mutex::new(released));
    let served = {
        let watch = watch.clone();
        serve(move || {
            let released = Arc::clone(&released);
            let later = move || {
                let released = Arc::clone(&released);
                async move {
                    rt::spawn(async move {
                        rt::time::sleep(IDLE).await;
                        let released = released.lock().expect("nobody panics with it");
                        released.recv().expect("the test sends");
                    });
                    "done"
                }
            };
            App::new()
                .route("/later", web::get().to(later))
                .wrap(watch.clone())
        })
    };
    assert_eq!(get(served.address, "/later").body(), "done");
    let deadline = Instant::now() + PATIENCE;
    let held = loop {
        let held = watch.held_now().pop();
        let is_known = |hold: &Hold| !cfg!(feature = "stacks") || !hold.lines.is_empty();
        // On a busy machine, something else may hold the worker before.
        match held.filter(|hold| hold.started >= IDLE && is_known(hold)) {
            Some(held) => break held,
            None => pause(Duration::from_millis(5)),
        }
        assert!(Instant::now() < deadline, "{:?}", watch.held_now());
    };
    assert!(held.ongoing && held.culprits.is_empty(), "{held}");
    if cfg!(feature = "stacks") {
        let here =
            "watch::idle::a_task_that_blocks_long_after_the_last_request_is_a_hold_with_its_line";
        assert!(held.lines[0].function.starts_with(here), "{held:?}");
    }
    release.send(()).expect("the task waits");
    let is_over = |hold: &Hold| hold.started == held.started;
    while !watch.holds().iter().any(is_over) {
        assert!(Instant::now() < deadline, "{:?}", watch.holds());
        pause(Duration::from_millis(5));
    }
}
