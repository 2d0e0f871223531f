"""What the samplers ask of the host's model_sampling, of a model with a = 1."""


class Sampling:
    def __init__(self, sigma_max=14.6):
        self.sigma_max = sigma_max

    def noise_scaling(self, sigma, noise, latent_image):
        return latent_image + sigma * noise
