import ArgumentParser

@main
struct Pabal: ParsableCommand {
  func run() { print("pabal") }
}
