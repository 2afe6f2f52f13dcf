import Glibc

/// Raises how many descriptors this process may have open, as far as the system lets it.
///
/// A shell and systemd give 1,024, for programs that use select(2). The HTTP service alone takes 1,000, and a process
/// without a free one ends: libdispatch watches its threads by files and traps where one can't be opened.
func raiseDescriptorLimit() {
  // Not more: some programs that this one starts go through all there may be.
  let wanted: rlim_t = 8_192
  var limit = rlimit()
  let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  guard getrlimit(files, &limit) == 0, limit.rlim_cur < wanted else { return }
  limit.rlim_cur = min(wanted, limit.rlim_max)
  _ = setrlimit(files, &limit)
}
