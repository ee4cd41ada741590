/* (g) THE LEASE OF A KEY IN REDIS (src/link/redis/scripts.ts): two writers, each script one atomic step, executed some time after it was
   sent, maybe twice (an answer that was lost), in the order they come.
   The lease may run out at any time, whether or not its holder notices (paused, cut off). Once, Redis may be emptied or fail over to a
   replica that stopped at any earlier moment.
   default          as built
   -DNOTIME         epochs only count up from what Redis and the candidate know, and are not at least the time of the grant
   -DNOGRANT        the last epoch granted is not stored (field g)
   -DNOLEASE        a publish doesn't look at the lease
   -DNOEPOCH        a publish looks at the lease only
   -DNOFAULT        Redis is never emptied, nor fails over
   Checked: an epoch belongs to one writer for ever, so that a pair of numbers has one content; and what is stored never falls, but for the
   fault. (That a reader never goes back is its own guard, model f.) */
#ifndef PUBS
#define PUBS 1       /* publishes for each grant */
#endif
byte E = 0, V = 0, W = 0, G = 0, L = 0;          /* the meta hash and the lease */
byte oE = 0, oV = 0, oW = 0, oG = 0, oL = 0;     /* a replica that heard nothing more since */
byte T = 0;                                       /* the time of the last grant */
bool copied = false, faulty = true;
byte owner[12];                                   /* whose publishes under this epoch were seen */
byte fE = 0, fV = 0;                              /* the highest that was stored since the fault */
chan net = [2] of { byte, byte, byte };           /* publishes on their way: writer, epoch, version */
#define max(a,b) ((a) > (b) -> (a) : (b))

inline execute(w, e, v) {
  if
#ifndef NOEPOCH
  :: e < E || e < G || (e == E && W != w) -> skip                   /* FENCED */
#endif
#ifndef NOLEASE
  :: L != w -> skip                                                  /* FENCED, or VACANT */
#endif
  :: else ->
     if
     :: e == E && v < V -> skip                                      /* REPLAY */
     :: else ->
        assert(e > fE || (e == fE && v >= fV));                     /* numbers never fall */
        assert(owner[e] == 0 || owner[e] == w);                     /* one writer for each epoch */
        owner[e] = w; E = e; V = v; W = w; G = max(G, e); fE = e; fV = v
     fi
  fi
}

proctype writer(byte me; byte MAX) {                /* MAX: how often it may be granted the role */
  byte ep = 0, seen = 0, ver = 0, n = 0;
  do
  :: n < MAX && ep == 0 ->
     atomic {                                                        /* TAKE */
       if
       :: L == 0 || L == me ->
          ep = max(max(E, G), seen) + 1;
#ifndef NOTIME
          ep = max(ep, T + 1); T = ep;
#endif
          L = me;
#ifndef NOGRANT
          G = ep;
#endif
          seen = ep; ver = 0; n++
       :: else -> seen = max(seen, E)                                /* it follows meanwhile */
       fi
     }
  :: ep != 0 && ver < PUBS -> ver++; if :: nfull(net) -> net!me,ep,ver :: full(net) -> skip fi
  :: ep != 0 && ver > 0 -> if :: nfull(net) -> net!me,ep,ver :: full(net) -> skip fi     /* again: the answer was lost, or Redis lost it */
  :: ep != 0 ->
     atomic {                                                        /* RENEW */
       if
       :: L == me -> skip
       :: L == 0 && ep >= E && ep >= G && !(ep == E && W != me) -> L = me; G = max(G, ep)
       :: else -> ep = 0                                             /* lost: it stands by */
       fi
     }
  :: ep != 0 -> atomic { if :: L == me -> L = 0 :: else fi; ep = 0 } /* RELEASE */
  :: n == MAX && ep == 0 -> break
  od
}

active proctype redis() {
  byte w, e, v;
  do
  :: atomic { net?w,e,v -> execute(w, e, v) }
  :: L != 0 -> L = 0                                                 /* the lease runs out */
#ifndef NOFAULT
  :: atomic { !copied && faulty -> oE = E; oV = V; oW = W; oG = G; oL = L; copied = true }
  :: atomic { faulty -> faulty = false;                              /* emptied (a copy of the beginning), or failed over */
       E = oE; V = oV; W = oW; G = oG; L = oL; fE = E; fV = V }
#endif
  od
}

init { atomic { run writer(1, 2); run writer(2, 1) } }
