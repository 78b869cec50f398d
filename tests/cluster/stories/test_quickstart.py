"""The demonstration of install/quickstart shows what really happens."""

import main_job
from stories.guarded import KeptVm
from story import Story


class Quickstart(Story):
    def test_the_transcript_shows_the_denials_the_migration_and_the_take_over(self):
        main_job.guard(self.lab, self.hook, KeptVm.keeper)
        self.lab.define_vm(main_job.NAME, main_job.UUID)
        transcript = main_job.show(self.lab, print_line=lambda line: None)
        self.assertEqual(transcript[0], "node1# virsh start web")
        for holder in ("node1", "node2"):
            self.assertEqual(sum(f"host {holder} holds its lock since 20" in line
                                 for line in transcript), 1, transcript)
        crash = transcript.index("(node2 has lost its power, with the VM on it)")
        attempts = [n for n, line in enumerate(transcript) if line.startswith("node1# virsh start")]
        self.assertLess(attempts[1], crash)
        self.assertEqual(transcript[attempts[-1] + 1], "Domain 'web' started")
        self.assertTrue(self.node1.holds()[0].startswith(main_job.UUID[:23]))
        self.assertFalse(self.node2.is_up())

    def test_without_a_hook_the_demonstration_fails(self):
        self.lab.reset(hook=None)
        self.lab.define_vm(main_job.NAME, main_job.UUID)
        with self.assertRaisesRegex(main_job.NotAsItShould, "node1 holds the VM's lock"):
            main_job.show(self.lab, print_line=lambda line: None)
