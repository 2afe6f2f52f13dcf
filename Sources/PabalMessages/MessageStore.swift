internal import PabalCore
