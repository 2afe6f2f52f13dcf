internal import Glibc

/// The user's browser.
enum Browser {
  /// Opens `url`; whether a browser could be started. The URL has no secret in it.
  static func open(_ url: String, environment: (String) -> String?) -> Bool {
    let named = environment("BROWSER")?.split(separator: ":").map(String.init) ?? []
    let hasScreen = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].contains {
      environment($0)?.isEmpty == false
    }
    guard hasScreen || !named.isEmpty else { return false }
    for command in named + ["xdg-open", "wslview", "sensible-browser"] {
      var words = command.split(separator: " ").map(String.init)
      guard !words.isEmpty else { continue }
      if let place = words.firstIndex(of: "%s") { words[place] = url } else { words.append(url) }
      if start(words) { return true }
    }
    return false
  }

  private static func start(_ words: [String]) -> Bool {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // What a browser says belongs on no terminal that asks for something.
    for descriptor: CInt in 0...2 {
      posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0)
    }
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
    arguments.append(nil)
    defer { for argument in arguments { free(argument) } }
    var process: pid_t = 0
    return posix_spawnp(&process, words[0], &actions, nil, arguments, environ) == 0
  }
}
