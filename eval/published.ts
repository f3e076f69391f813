/** What others published for the same benchmarks, with where it stands. Plain data. */
import type { EvalReport, SuiteName } from "./report.ts";

export interface Published {
  readonly metric: string;
  readonly figure: number;
  /** Whose figure, and on which part of the data. */
  readonly who: string;
}

export interface Origin {
  readonly data: string;
  readonly licence: string;
  readonly paper: string;
}

export const ORIGINS: Readonly<Record<SuiteName, Origin>> = {
  nezha: {
    data: "github.com/IntelligentDDS/Nezha, Train-Ticket, logs and metrics without traces",
    licence: "MIT",
    paper: "Yu et al., Nezha, ESEC/FSE 2023",
  },
  petshop: {
    data: "github.com/amazon-science/petshop-root-cause-analysis",
    licence: "CC-BY-4.0",
    paper: "Hardt et al., The PetShop Dataset, CLeaR 2024",
  },
  nab: {
    data: "github.com/numenta/NAB",
    licence: "MIT",
    paper: "Lavin and Ahmad, ICMLA 2015; Ahmad et al., Neurocomputing 2017",
  },
  loghub: {
    data: "github.com/logpai/loghub, 2k sets",
    licence: "research and academic use, cite Loghub",
    paper: "Zhu et al., ICSE-SEIP 2019 and ISSRE 2023",
  },
  incidents: {
    data: "Nezha's Train-Ticket faults, each repeated until it lasted, and the seed scenario",
    licence: "MIT",
    paper: "nobody published such figures; beside ours stand the goals",
  },
};

export const PUBLISHED: Readonly<Record<SuiteName, readonly Published[]>> = {
  nezha: [
    { metric: "AS@1", figure: 86.7, who: "Nezha, with traces, all 45 faults" },
    { metric: "AS@3", figure: 97.8, who: "Nezha, with traces, all 45 faults" },
    { metric: "AS@1", figure: 55.6, who: "Nezha without metrics, all 45 faults" },
    { metric: "AS@1", figure: 42.2, who: "Nezha without logs, all 45 faults" },
    { metric: "AS@1", figure: 8.9, who: "PDiagnose, all 45 faults" },
  ],
  petshop: [
    { metric: "top1_latency", figure: 0.57, who: "MAD and traversal, low traffic" },
    { metric: "top1_availability", figure: 0.83, who: "MAD and traversal, low traffic" },
    { metric: "specificity_latency", figure: 0.17, who: "MAD and traversal, low traffic" },
    { metric: "specificity_latency", figure: 0.33, who: "MAD and traversal, high traffic" },
  ],
  nab: [
    { metric: "standard", figure: 74.9, who: "ARTime, all 58 series" },
    { metric: "reward_low_FP_rate", figure: 65.2, who: "ARTime, all 58 series" },
    { metric: "standard", figure: 70.1, who: "Numenta HTM, all 58 series" },
    { metric: "reward_low_FP_rate", figure: 63.2, who: "Numenta HTM, all 58 series" },
    { metric: "standard", figure: 69.9, who: "CAD OSE, all 58 series" },
    { metric: "reward_low_FP_rate", figure: 67.0, who: "CAD OSE, all 58 series" },
    { metric: "standard", figure: 51.7, who: "Random Cut Forest, all 58 series" },
    { metric: "standard", figure: 39.6, who: "windowed Gaussian, all 58 series" },
  ],
  loghub: [
    { metric: "grouping_accuracy", figure: 0.865, who: "Drain, its settings per dataset, all 16" },
    { metric: "grouping_accuracy", figure: 0.766, who: "Drain, one generic setting, all 16" },
  ],
  incidents: [
    { metric: "doubled", figure: 0, who: "the goal" },
    { metric: "resolved_early", figure: 0, who: "the goal" },
    { metric: "llm_calls_quiet_windows", figure: 0, who: "the goal" },
  ],
};

/** Our figures beside those published for the same measure; several lines where several are. */
export function compare(
  report: EvalReport,
): { metric: string; ours: number; published: readonly Published[] }[] {
  const known = PUBLISHED[report.suite];
  return Object.entries(report.metrics).map(([metric, ours]) => ({
    metric,
    ours,
    published: known.filter((one) => one.metric === metric),
  }));
}
