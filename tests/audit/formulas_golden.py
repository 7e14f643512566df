"""What the tools themselves print, for tests/audit/test_formulas.py.

Opacus 1.6.0: RDPAccountant().get_epsilon(delta=) for rdp-opacus; analysis.rdp.compute_rdp(q=, noise_multiplier=,
steps=, orders=) for the others on a list of orders, converted by analysis.rdp.get_privacy_spent (rdp-tf-privacy) or as
rdp - log(delta) / (order - 1); analysis.gdp.compute_eps_poisson and compute_eps_uniform.
dp-accounting 0.6.0: RdpAccountant().compose(SelfComposedDpEvent(PoissonSampledDpEvent(rate, GaussianDpEvent(
noise_multiplier)), steps)).get_epsilon(delta); the same with SampledWithoutReplacementDpEvent of 256 from 60,000 or
rate * 10^6 from 10^6 records under REPLACE_ONE; get_epsilon_gaussian(noise_multiplier / sqrt(steps), delta).
Python 3.11, numpy 2.4, scipy 1.17. Where Opacus raises (epsilon above 500) there is no entry.
"""

from __future__ import annotations

# (noise multiplier, sample rate, steps, delta) -> formula -> epsilon
TOOLS: dict[tuple[float, float, int, float], dict[str, float]] = {
    (0.2385, 0.004266666666666667, 1170, 1e-05): {
        "rdp-opacus": 98.00507049720787,
        "rdp-dp-accounting": 98.11656402796783,
        "rdp-tf-privacy": 101.92651297874939,
        "rdp-mironov-opacus": 100.7084377504057,
        "rdp-mironov-tf-privacy": 104.42852509644034,
        "rdp-mironov-integers": 7812.6096366581905,
        "moments-accountant": 7812.6096366581905,
        "without-replacement-dp-accounting": 8621.461540882596,
        "gaussian-no-sampling": 10895.08125741152,
    },
    (1.1, 0.004, 10000, 1e-05): {
        "rdp-opacus": 2.0130594443876637,
        "rdp-dp-accounting": 2.013059446324756,
        "rdp-tf-privacy": 2.013606312225787,
        "rdp-mironov-opacus": 2.366817227973555,
        "rdp-mironov-tf-privacy": 2.3679309088579688,
        "rdp-mironov-integers": 2.3679309088579688,
        "moments-accountant": 2.3679309088579688,
        "gdp-clt-poisson": 1.787445495264899,
        "gdp-clt-uniform": 2.3670299744821106,
        "without-replacement-dp-accounting": 4.017800577181172,
        "gaussian-no-sampling": 4518.971533743085,
    },
    (0.6, 0.05, 200, 1e-06): {
        "rdp-opacus": 19.77621934401162,
        "rdp-dp-accounting": 19.793245689567502,
        "rdp-tf-privacy": 19.83212278523096,
        "rdp-mironov-opacus": 21.097335004145197,
        "rdp-mironov-tf-privacy": 21.218417146350852,
        "rdp-mironov-integers": 21.218417146350852,
        "moments-accountant": 21.218417146350852,
        "gdp-clt-poisson": 16.246708073186472,
        "gdp-clt-uniform": 24.804653375071656,
        "without-replacement-dp-accounting": 27.89848427296701,
        "gaussian-no-sampling": 388.9064757714879,
    },
    (4.0, 0.1, 1000, 1e-07): {
        "rdp-opacus": 4.52522262442228,
        "rdp-dp-accounting": 4.525222653836958,
        "rdp-tf-privacy": 4.533565834554511,
        "rdp-mironov-opacus": 4.974691450994705,
        "rdp-mironov-tf-privacy": 4.977083712797384,
        "rdp-mironov-integers": 4.977083712797384,
        "moments-accountant": 4.977083712797384,
        "gdp-clt-poisson": 4.187801852829114,
        "gdp-clt-uniform": 4.6301284453081895,
        "without-replacement-dp-accounting": 9.919236864592474,
        "gaussian-no-sampling": 71.58721316450145,
    },
    (20.0, 0.001, 500, 1e-05): {
        "rdp-opacus": 0.10290668149095111,
        "rdp-dp-accounting": 0.004143854975071133,
        "rdp-tf-privacy": 0.008687890294009192,
        "rdp-mironov-opacus": 0.18573177648886863,
        "rdp-mironov-tf-privacy": 0.02285099680307968,
        "rdp-mironov-integers": 0.1827849049077223,
        "moments-accountant": 0.35979957318537564,
        "gdp-clt-poisson": 0.002216400377025621,
        "gdp-clt-uniform": 0.00226854056765411,
        "without-replacement-dp-accounting": 0.020134487641052974,
        "gaussian-no-sampling": 4.983306405970682,
    },
    (1.0, 0.5, 30, 0.0001): {
        "rdp-opacus": 18.545266596119948,
        "rdp-dp-accounting": 18.54526659611995,
        "rdp-tf-privacy": 18.545266596119948,
        "rdp-mironov-opacus": 19.93156095723984,
        "rdp-mironov-tf-privacy": 19.93156095723984,
        "rdp-mironov-integers": 19.93156095723984,
        "moments-accountant": 19.93156095723984,
        "gdp-clt-poisson": 19.111484831781173,
        "gdp-clt-uniform": 27.651810261755518,
        "without-replacement-dp-accounting": 33.57297201201947,
        "gaussian-no-sampling": 34.60934240865419,
    },
    (0.5, 0.3, 20, 1e-05): {
        "rdp-opacus": 36.123029734346204,
        "rdp-dp-accounting": 37.08319162076443,
        "rdp-tf-privacy": 36.7613944386334,
        "rdp-mironov-opacus": 37.88719836943416,
        "rdp-mironov-tf-privacy": 38.670936943517844,
        "rdp-mironov-integers": 46.75209991295071,
        "moments-accountant": 46.75209991295071,
        "gdp-clt-poisson": 89.29996044277351,
        "gdp-clt-uniform": 153.4414277122826,
        "without-replacement-dp-accounting": 57.768723468417775,
        "gaussian-no-sampling": 77.33009057916195,
    },
    (2.0, 1.0, 5, 1e-05): {
        "rdp-opacus": 5.377728336819822,
        "rdp-dp-accounting": 5.377728336819822,
        "rdp-tf-privacy": 5.377728336819822,
        "rdp-mironov-opacus": 5.989924526737262,
        "rdp-mironov-tf-privacy": 6.003231366242558,
        "rdp-mironov-integers": 6.003231366242558,
        "moments-accountant": 6.003231366242558,
        "gdp-clt-poisson": 5.369534469160049,
        "gdp-clt-uniform": 6.512404329339609,
        "without-replacement-dp-accounting": 5.377728336819822,
        "gaussian-no-sampling": 4.983306405970682,
    },
}

# A published noise x clipping sweep: rate 64/400, 140 steps, delta 1e-5
SWEEP = {
    0.01: 22446.05170185988,
    0.1: 23.025850929940457,
    0.5: 15.046314355155534,
    1.0: 4.797420839806621,
    2.0: 1.3293239627503408,
    5.0: 1.0638677457615782,
    10.0: 0.8722798434676159,
}

# As printed by the DPMechanism benchmark harness, delta 1e-5: its calibration ends at the second and third multipliers
HARNESS = {
    (0.2385, 256 / 60000, 1170): "3.00",
    (0.23847751617431637, 256 / 60000, 1170): "3.0016",
    (0.6405064010620116, 256 / 50000, 5850): "2.9986",
}

# As printed in papers and manuals, delta 1e-5: (formula, noise multiplier, rate, steps) -> epsilon
PRINTED = {
    ("moments-accountant", 4.0, 0.01, 10000): "1.26",  # Abadi et al. 2016, at Figure 2: 100 epochs
    (
        "rdp-mironov-tf-privacy",
        1.3,
        256 / 60000,
        3515,
    ): "1.19",  # TensorFlow Privacy's tutorial: 15 epochs of MNIST
    ("rdp-mironov-tf-privacy", 1.1, 256 / 60000, 14062): "3.01",  # the same, 60 epochs
}
