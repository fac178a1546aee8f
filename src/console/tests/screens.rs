use super::stage::Stage;
#[test]
fn look() {
    for (w, h) in [(80, 24), (120, 36)] {
        println!("{}", Stage::new(w, h).screen());
    }
    println!("{}", Stage::new(80, 24).keys("Enter").screen());
    println!("{}", Stage::new(80, 24).keys("j r").screen());
}
