//! Temporary driver.
fn main() {
    let recipe = gyro::recipe::Recipe::load(std::path::Path::new(&std::env::args().nth(1).unwrap())).unwrap();
    let out = std::path::PathBuf::from(std::env::args().nth(2).unwrap());
    gyro::replay::prepare_threads(std::env::var("T").ok().and_then(|t| t.parse().ok()));
    gyro::replay::training::train(&recipe, &out, tch::Device::Cpu, |p, n| println!("{}/{n} len {} tok {} text {:.3} ans {:?} top1 {:?} t {:.0}", p.step, p.length, p.tokens, p.text_nll, p.answer_nll, p.answer_top1, p.seconds.0)).unwrap();
}
